"""What a real browser makes of the page: needs a Chromium on this machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import pytest

from tests.page.browser import Tab, browser, chromium
from tests.page.chapters import whole_story, wide
from tests.page.screenshots import TOO_WIDE, views
from tests.page.serving import SIGN_IN, serving
from tests.page.story import END, EVIL, MINUTE, Story
from tests.unit.core.registry.book import START
from tests.waiting import PATIENCE_SECONDS

PROGRAM = chromium()
OUTLINE = "getComputedStyle(document.activeElement).outlineStyle"
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium on this machine")


@pytest.fixture
async def tab() -> AsyncIterator[Tab]:
    """A tab of a wide screen; whatever the browser complains about fails the test."""
    async with browser(PROGRAM or "") as tab:
        await tab.show(width=1_280)
        yield tab
        assert tab.complaints == []


@asynccontextmanager
async def visiting(tab: Tab, story: Story, *, with_token: bool = False) -> AsyncIterator[str]:
    """The address of the API; the page that looks for news leaves before the server does."""
    async with serving(story, with_token=with_token) as address:
        yield address
        await tab.open("about:blank")


async def becomes_true(tab: Tab, script: str) -> None:
    """Until the expression is true."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await tab.evaluate(script):  # noqa: ASYNC110 - the browser tells nobody
            await asyncio.sleep(0.1)


async def test_every_view_fits_on_a_phone_and_obeys_the_policy(tab: Tab) -> None:
    story = whole_story()
    await tab.show(width=390)
    async with visiting(tab, story) as address:
        for name, path in views(story).items():
            if name != "not-found":
                await tab.open(f"{address}{path}")
                assert await tab.evaluate(TOO_WIDE) == 0, name
                assert await tab.evaluate("document.fonts && document.styleSheets.length") == 1


async def test_an_evil_name_runs_nothing(tab: Tab) -> None:
    async with visiting(tab, whole_story()) as address:
        await tab.open(f"{address}/model?name={quote(EVIL)}")
        assert await tab.evaluate("document.querySelector('h1').textContent") == EVIL
        assert await tab.evaluate("document.images.length") == 0
        await asyncio.sleep(0.3)  # an image that does not load would have called its handler


async def test_fifty_models_with_two_hundred_features_make_small_pages(tab: Tab) -> None:
    """Either is loaded in a tenth of a second; how much it is does not depend on the machine."""
    story = Story()
    wide(story)
    story.folds.not_ready = None
    async with visiting(tab, story) as address:
        for path in ("/", "/model?name=wide-07"):
            await tab.open(f"{address}{path}")
            size = await tab.evaluate("document.documentElement.outerHTML.length")
            assert 10_000 < size < 400_000
            assert await tab.evaluate("document.querySelectorAll('*').length") < 8_000


async def test_what_is_new_appears_by_itself_and_what_is_unfolded_stays_so(tab: Tab) -> None:
    story = whole_story()
    async with visiting(tab, story) as address:
        await tab.open(f"{address}/model?name=segments")
        await tab.evaluate("document.getElementById('performance-table').open = true")
        assert not await tab.evaluate("document.body.innerText.includes('a new incident')")
        story.alert("segments", "floor", END, [(END, "firing", "a new incident", {})])
        await becomes_true(tab, "document.body.innerText.includes('a new incident')")
        assert await tab.evaluate("document.getElementById('performance-table').open")
        assert await tab.evaluate("document.getElementById('updated').textContent.length > 0")


async def test_updates_can_be_paused(tab: Tab) -> None:
    story = whole_story()
    async with visiting(tab, story) as address:
        await tab.open(f"{address}/")
        await tab.evaluate("document.getElementById('pause').click()")
        story.alert("segments", "floor", END, [(END, "firing", "a new incident", {})])
        await asyncio.sleep(5.5)
        assert not await tab.evaluate("document.body.innerText.includes('a new incident')")
        await tab.evaluate("document.getElementById('pause').click()")
        await becomes_true(tab, "document.body.innerText.includes('a new incident')")


async def test_the_keyboard_reaches_everything_and_shows_where_it_is(tab: Tab) -> None:
    async with visiting(tab, whole_story()) as address:
        await tab.open(f"{address}/model?name=segments")
        reached = []
        for _ in range(8):
            await tab.press("Tab", 9)
            reached.append(await tab.evaluate("document.activeElement.textContent"))
            assert await tab.evaluate(OUTLINE) == "solid"
        assert reached[:2] == ["Skip to the content", "Driftline"]
        assert "Alerts of this model" in reached


async def test_a_promotion_and_a_rollback_by_hand(tab: Tab) -> None:
    story = whole_story()
    async with visiting(tab, story) as address:
        await tab.open(f"{address}/versions?name=segments")
        await _follow(tab, "a.button")
        await _decide(tab, "it learned the new columns")
        assert story.book.facts[-1].action == "promote"
        assert await tab.evaluate("document.body.innerText.includes('segments/hat/v5 serves.')")
        await tab.open(f"{address}/model?name=segments")
        await _follow(tab, "a.button")
        await _decide(tab, "no, it did not")
        fact = story.book.facts[-1]
        assert (fact.action, fact.actor, fact.outcome) == ("rollback", "page:ann", "accepted")


async def test_signing_in_by_hand(tab: Tab) -> None:
    async with visiting(tab, whole_story(), with_token=True) as address:
        await tab.open(f"{address}/model?name=segments")
        await tab.evaluate(f"document.getElementById('token').value = '{SIGN_IN}'")
        await tab.submit("form")
        assert await tab.evaluate("document.querySelector('h1').textContent") == "segments"
        assert SIGN_IN not in await tab.evaluate("location.href + document.cookie")
        await tab.submit("form")  # the one form of that page signs out
        assert await tab.evaluate("document.querySelector('h1').textContent") == "Sign in"


async def test_the_page_works_without_its_script(tab: Tab) -> None:
    await tab.call("Emulation.setScriptExecutionDisabled", value=True)
    story = whole_story()
    async with visiting(tab, story) as address:
        await tab.open(f"{address}/model?name=segments")
        assert await tab.evaluate("document.querySelectorAll('svg.chart').length") > 15
        assert await tab.evaluate("document.querySelector('.updates').hidden")


async def _follow(tab: Tab, selector: str) -> None:
    address = await tab.evaluate(f"document.querySelector('{selector}').href")
    await tab.open(address)


async def _decide(tab: Tab, reason: str) -> None:
    await tab.evaluate(f"document.getElementById('reason').value = '{reason}'")
    await tab.evaluate("document.getElementById('actor').value = 'ann'")
    await tab.submit("form")


def test_the_story_is_told_in_order() -> None:
    story = whole_story()
    windows = story.folds.history.of("segments").scored["200"]
    assert [each.start for each in windows.values()] == [
        START + minute * MINUTE for minute in range(0, END, 5)
    ]
