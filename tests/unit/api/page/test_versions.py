"""Does the list of versions tell of each how it came about, and how good its lineage is?"""

import re

from driftline.api.page.versions import figures_said
from driftline.core.learning.figures import LineageFigures
from tests.page.serving import rig_of
from tests.page.story import Story, wire_of
from tests.unit.api.page.test_views import model, page, text
from tests.unit.api.rig import Rig


async def test_versions_show_their_recipe(told: Rig) -> None:
    said = text(await page(told, model("segments", "/versions")))
    assert "Learned sinceoffsets 0..50" in said
    assert "Version id" in said
    assert "river 0.26.1" in said
    assert said.index("hat/v5") < said.index("sm/v1")


async def test_a_version_says_how_good_its_lineage_is(told: Rig) -> None:
    said = text(await page(told, model("segments", "/versions")))
    assert "As of each prediction: accuracy 90 %, 93 % over the last 200 labels." in said


def test_figures_of_every_kind_have_words() -> None:
    classes, numbers = LineageFigures.of("binary"), LineageFigures.of("regression")
    for figure in (classes.as_of, classes.zero_delay):
        figure.add("a", "a")
        figure.add("b", "a")
    numbers.as_of.add(1.0, 3.5)
    numbers.as_of.add(None, 3.5)
    assert list(figures_said(classes.figures())) == [
        "as of each prediction: accuracy 50 %, 50 % over the last 200 labels",
        "had each label come at once: accuracy 50 %, 50 % over the last 200 labels",
    ]
    (said,) = figures_said(numbers.figures())
    assert said == (
        "as of each prediction: mean absolute error 2.5, 2.5 over the last 200 labels,"
        " 1 answer that could not be used"
    )


async def test_many_versions_come_page_by_page() -> None:
    story = Story()
    spec = story.apply(wire_of("m", ["x"], pipelines={"a": []}, champion="a"), None)
    for number in range(1, 61):
        story.version(spec, "a", number, number)
    rig = rig_of(story)
    rig.folds.not_ready = None
    first = await page(rig, model("m", "/versions"))
    assert ("a/v60" in first, "a/v11 " in first, "a/v10 " in first) == (True, True, False)
    (earlier,) = re.findall(r'href="(/versions\?name=m&amp;before=\d+)"', first)
    assert text(first).index("a/v1 ● serves") < text(first).index("a/v60")
    second = text(await page(rig, earlier.replace("&amp;", "&")))
    assert ("a/v10" in second, "a/v1 " in second, "a/v11" in second) == (True, True, False)
