"""`python -m tests.page.screenshots FOLDER`: a picture of each view, both themes, and a phone.

Those that the README shows are made anew beside them: readme-*.png.
"""

import asyncio
import sys
from pathlib import Path
from time import perf_counter
from typing import Final
from urllib.parse import quote

from tests.page.browser import Tab, browser, chromium
from tests.page.chapters import whole_story, wide
from tests.page.serving import serving
from tests.page.story import EVIL, Story

SCREENS: Final = {"light": (1_280, False), "dark": (1_280, True), "phone": (390, False),
                  "phone-dark": (390, True)}  # fmt: skip
LOADED: Final = "performance.getEntriesByType('navigation')[0].loadEventEnd"
TOO_WIDE: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def views(story: Story) -> dict[str, str]:
    """Name of the picture -> path."""
    versions = story.folds.registry.models["segments"].versions
    alerts = list(story.folds.alerts.values())
    drifted = next(a for a in alerts if a.model == "segments" and a.check == "data")
    return {
        "overview": "/",
        "model": "/model?name=segments",
        "feature": "/feature?name=segments&feature=hue-mean",
        "versions": "/versions?name=segments",
        "alerts": "/alerts",
        "alert": f"/alert?id={drifted.alert_id}",
        "promote": f"/promote?name=segments&version={next(iter(versions))}",
        "rollback": "/rollback?name=segments",
        "regression": "/model?name=bike%20demand",
        "evil": f"/model?name={quote(EVIL)}",
        "waiting": "/model?name=credit%2Feu",
        "not-found": "/model?name=none",
    }


async def photograph(tab: Tab, address: str, paths: dict[str, str], folder: Path) -> None:
    """Each path on each screen; what is wider than the screen, or complains, is said."""
    for name, path in paths.items():
        for screen, (width, dark) in SCREENS.items():
            await tab.show(width=width, dark=dark)
            await tab.open(f"{address}{path}")
            await tab.picture(folder / f"{name}-{screen}.png")
            if (over := await tab.evaluate(TOO_WIDE)) > 0:
                print(f"{name} on {screen}: {over} pixels too wide")
    for complaint in tab.complaints:
        print(f"complaint: {complaint}")


async def for_readme(tab: Tab, address: str, folder: Path) -> None:
    """Two pictures, small enough for a page that is read over the net."""
    await tab.show(width=920, height=600)
    await tab.open(f"{address}/model?name=segments")
    await tab.picture(folder / "readme-model.png", tallest=1_450)
    await tab.show(width=1_000, height=600, dark=True)
    await tab.open(f"{address}/")
    await tab.picture(folder / "readme-overview.png")


async def run(folder: Path, program: str) -> None:
    """All pictures, and how long the heaviest pages take."""
    story = whole_story()
    async with browser(program) as tab:
        async with serving(whole_story(with_evil=False)) as address:
            await for_readme(tab, address, folder)
        async with serving(story) as address:
            await photograph(tab, address, views(story), folder)
        async with serving(story, with_token=True) as address:
            await photograph(tab, address, {"sign-in": "/"}, folder)
        wide(story)
        async with serving(story) as address:
            heavy = {"fifty-models": "/", "wide-model": "/model?name=wide-07"}
            await photograph(tab, address, heavy, folder)
            for path in heavy.values():
                await measure(tab, f"{address}{path}")


async def measure(tab: Tab, url: str, times: int = 5) -> list[float]:
    """Milliseconds from the click to the load event, as the browser counts them."""
    found = []
    for _ in range(times):
        await tab.open(url)
        found.append(float(await tab.evaluate(LOADED)))
    print(f"{url}: {', '.join(f'{each:.0f}' for each in sorted(found))} ms")
    return found


def main() -> int:
    """The exit code."""
    program = chromium()
    if len(sys.argv) != 2 or program is None:
        print(__doc__ if program else "There is no Chromium on this machine.")
        return 2
    began = perf_counter()
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(run(folder, program))
    print(f"done in {perf_counter() - began:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
