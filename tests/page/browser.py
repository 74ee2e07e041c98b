"""A headless Chromium, driven by its own protocol: no driver and no package is needed for it."""

import asyncio
import os
import shutil
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any, Final

import aiohttp

from tests.waiting import PATIENCE_SECONDS, eventually

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--remote-debugging-port=0", "--disable-dev-shm-usage",
)  # fmt: skip
SECONDS: Final = PATIENCE_SECONDS
TALLEST: Final = 6_000  # pixels of a picture
BOX: Final = """(() => {
    const box = document.querySelector('SELECTOR').getBoundingClientRect();
    return {x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height};
})()"""


def chromium() -> str | None:
    """The program; None if this machine has none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Tab:
    """One tab; `complaints` are errors of scripts, of the policy and of loading."""

    socket: aiohttp.ClientWebSocketResponse
    complaints: list[str] = field(default_factory=list)
    _count: int = 0
    _waiting: dict[int, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    _loaded: set[str] = field(default_factory=set)  # ids of pages

    async def call(self, method: str, **given: Any) -> dict[str, Any]:
        """One call of the protocol."""
        self._count += 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[self._count] = answer
        await self.socket.send_json({"id": self._count, "method": method, "params": given})
        return await asyncio.wait_for(answer, SECONDS)

    async def listen(self) -> None:
        """Take in answers and events until the socket closes."""
        async for message in self.socket:
            said = message.json()
            if "id" in said:
                waiting = self._waiting.pop(said["id"])
                if not waiting.done():
                    waiting.set_result(said.get("result", said.get("error", {})))
            else:
                self._heard(said["method"], said["params"])

    def _heard(self, method: str, given: dict[str, Any]) -> None:
        if method == "Page.lifecycleEvent" and given["name"] == "load":
            self._loaded.add(given["loaderId"])
        elif method == "Log.entryAdded" and given["entry"]["level"] == "error":
            self.complaints.append(f"{given['entry']['text']} ({given['entry'].get('url')})")
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(given["exceptionDetails"]["text"]))
        elif method == "Page.javascriptDialogOpening":
            self.complaints.append(f"a dialog opened: {given['message']}")

    async def show(self, *, width: int, height: int = 900, dark: bool = False) -> None:
        """The screen and the theme; narrow ones are phones."""
        await self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                        deviceScaleFactor=2 if width < 600 else 1, mobile=width < 600)  # fmt: skip
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[theme])

    async def open(self, url: str) -> None:
        """Until all of it is loaded."""
        loader = (await self.call("Page.navigate", url=url))["loaderId"]
        await eventually(lambda: loader in self._loaded)

    async def submit(self, selector: str) -> None:
        """Send a form as by its button, until the next page is loaded."""
        before = set(self._loaded)
        await self.evaluate(f"document.querySelector('{selector}').requestSubmit()")
        await eventually(lambda: self._loaded - before)

    async def evaluate(self, script: str) -> Any:
        """The value of an expression."""
        found = await self.call("Runtime.evaluate", expression=script, returnByValue=True,
                                awaitPromise=True)  # fmt: skip
        return found.get("result", {}).get("value")

    async def press(self, key: str, code: int) -> None:
        """A key of the keyboard."""
        for kind in ("rawKeyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                            windowsVirtualKeyCode=code)  # fmt: skip

    async def picture(self, file: Path, *, tallest: int = TALLEST) -> None:
        """The whole page, down to so many pixels."""
        size = (await self.call("Page.getLayoutMetrics"))["cssContentSize"]
        await self._capture(file, {**size, "x": 0, "y": 0, "height": min(size["height"], tallest)})

    async def picture_of(self, selector: str, file: Path, *, margin: int = 12) -> None:
        """One element, with so many pixels around it."""
        box = await self.evaluate(BOX.replace("SELECTOR", selector))
        await self._capture(file, {
            "x": max(box["x"] - margin, 0), "y": max(box["y"] - margin, 0),
            "width": box["width"] + 2 * margin, "height": box["height"] + 2 * margin,
        })  # fmt: skip

    async def _capture(self, file: Path, box: dict[str, float]) -> None:
        taken = await self.call("Page.captureScreenshot", format="png", clip={**box, "scale": 1},
                                captureBeyondViewport=True)  # fmt: skip
        await asyncio.to_thread(file.write_bytes, b64decode(taken["data"]))


@asynccontextmanager
async def browser(program: str) -> AsyncIterator[Tab]:
    """A browser with one tab and an empty profile."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            program, *FLAGS, f"--user-data-dir={profile}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": profile},
        )  # fmt: skip
        try:
            port = await asyncio.to_thread(_port, Path(profile) / "DevToolsActivePort")
            async with _tab(port) as tab:
                yield tab
        finally:
            process.terminate()
            await process.wait()


def _port(file: Path) -> int:
    """Where the browser listens; it writes that down once it does."""
    give_up = monotonic() + SECONDS
    while not file.exists() or len(lines := file.read_text().split()) < 2:
        if monotonic() > give_up:
            raise TimeoutError("the browser does not start")
        sleep(0.05)
    return int(lines[0])


@asynccontextmanager
async def _tab(port: int) -> AsyncIterator[Tab]:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            targets = await answer.json()
        url = next(each["webSocketDebuggerUrl"] for each in targets if each["type"] == "page")
        async with session.ws_connect(url, max_msg_size=0) as socket:
            tab = Tab(socket)
            listening = asyncio.create_task(tab.listen())
            for domain in ("Page", "Runtime", "Log"):
                await tab.call(f"{domain}.enable")
            await tab.call("Page.setLifecycleEventsEnabled", enabled=True)
            yield tab
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
