"""Does the page stay quick when there are many models, and many people who look?"""

import re
from html import unescape

import pytest

from driftline.api.folds import Folds
from driftline.api.page import routes as page_routes
from driftline.api.page.layout import Page
from driftline.api.page.overview import CARDS, overview
from driftline_schemas.codec import encode
from driftline_schemas.registry import ScorerStatus
from driftline_schemas.topics import SCORER_STATUS
from tests.page.serving import rig_of
from tests.page.story import Story, wire_of
from tests.unit.api.page.test_views import page, text
from tests.unit.api.rig import Rig


def many_models(count: int) -> Rig:
    """`m000` and so on; the last one has an incident, and each its own pipeline."""
    story = Story()
    for number in range(count):
        story.apply(wire_of(f"m{number:03}", ["x"]), None)
    story.alert(f"m{count - 1:03}", "data", 1, [(1, "firing", "drift", {})])
    story.folds.not_ready = None
    return rig_of(story)


def cards(html: str) -> list[str]:
    return re.findall(r"<h3><a href=\"/model\?name=(m\d+)\">", html)


async def test_many_models_come_in_pages_the_worst_first() -> None:
    rig = many_models(2 * CARDS + 5)
    seen, path = list[str](), "/"
    while path:
        html = await page(rig, path)
        assert len(cards(html)) <= CARDS
        assert f"{2 * CARDS + 5} models: 1 with an incident" in text(html)
        seen += cards(html)
        more = re.findall(r'<a href="([^"]*)">More models</a>', html)
        path = unescape(more[0]) if more else ""
    assert seen == ["m204", *(f"m{number:03}" for number in range(2 * CARDS + 4))]
    assert "201 to 205 of 205" in text(html)
    assert '<a href="/?start=100">Worse ones</a>' in html


async def test_a_search_among_many_models_keeps_its_pages() -> None:
    rig = many_models(CARDS + 15)
    html = await page(rig, "/?q=M1&start=0")
    assert cards(html) == ["m114", *(f"m{number}" for number in range(100, 114))]
    assert "More models" not in html
    assert 'href="/?q=m&amp;start=100"' in await page(rig, "/?q=m")
    beyond = await page(rig, "/?q=m&start=900")
    assert cards(beyond) == []
    assert "Worse ones" in beyond
    for start in ("-1", "x", "9" * 30):
        await page(rig, f"/?start={start}", 422)


async def test_a_page_is_drawn_once_however_many_look(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = many_models(1)
    drawn = list[str]()

    def counted(folds: Folds, wanted: str, start: int) -> Page:
        drawn.append(wanted)
        return overview(folds, wanted, start)

    monkeypatch.setattr(page_routes, "overview", counted)
    for path in ("/", "/", "/?q=m", "/"):
        await page(rig, path)
    assert drawn == ["", "m"]
    rig.folds.take(SCORER_STATUS, encode(ScorerStatus(scorer_id="s", seq=1, versions={}, at=1)))
    await page(rig, "/")
    assert drawn == ["", "m", ""]
    for number in range(page_routes.DRAWN_KEPT + 5):
        await page(rig, f"/?q={number}")
    await page(rig, "/")
    assert len(drawn) == page_routes.DRAWN_KEPT + 9
