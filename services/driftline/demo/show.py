"""What the demo prints: to a person as it happens, to a program one line of JSON at the end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from driftline.cli.console import VisibleConsole
from driftline.demo.stream import Fault, Stream
from driftline_schemas.alerts import Alert
from driftline_schemas.registry import Fact

COLOURS = {"firing": "bold red", "worse": "red", "resolved": "green", "retracted": "yellow"}


class Show:
    """Everything goes to stderr; with --json stdout carries the result alone."""

    def __init__(self, *, as_json: bool) -> None:
        self._console = VisibleConsole(stderr=True)
        self._as_json = as_json

    def step(self, sentence: str) -> None:
        """Something was done."""
        self._console.print(Text("• ", "dim") + Text(sentence))

    def fault(self, fault: Fault | None, stream: Stream) -> None:
        """Say aloud that the fault is ours."""
        if fault is None:
            self.step("no fault is injected")
            return
        self.step(
            f"we inject a fault ourselves: in rows {fault.first} to {fault.last} the columns of"
            f" {len(stream.rotated)} features are rotated ({', '.join(stream.rotated)})"
        )

    @contextmanager
    def progress(self, total: int) -> Iterator[Callable[[int], None]]:
        """A bar with the time left, on a terminal only."""
        columns = (
            TextColumn("predictions {task.completed}/{task.total}"),
            BarColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console, disable=not self._console.is_terminal,
                      transient=True) as bar:  # fmt: skip
            task = bar.add_task("", total=total)
            yield lambda done: bar.update(task, completed=done)

    def alert(self, alert: Alert, row: int) -> None:
        """A revision of an alert."""
        line = Text(f"row {row:>5}  ", "dim")
        line += Text(f"{alert.status:<9} {alert.check:<5} ", COLOURS[alert.status])
        self._console.print(line + Text(alert.summary))

    def takeover(self, fact: Fact, row: int) -> None:
        """A challenger that was proven better serves from now on."""
        line = Text(f"row {row:>5}  ", "dim") + Text("promoted  ", "bold blue")
        self._console.print(line + Text(fact.reason))

    def delivery(self, channel: str, body: dict[str, Any]) -> None:
        """A body that the local receiver got."""
        text = orjson.dumps(body).decode()
        self._console.print(Text(f"  {channel} got  ", "cyan") + Text(text, "dim"), soft_wrap=True)

    def summary(self, result: dict[str, Any]) -> None:
        """The figures, as a table."""
        table = Table(title="What was found", title_justify="left", show_header=False)
        for name, value in result.items():
            shown = len(value) if name == "versions" else value
            table.add_row(name.replace("_", " "), _text(shown))
        self._console.print(table)


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    if isinstance(value, list):
        nested = any(isinstance(each, dict) for each in value)
        return ("\n" if nested else ", ").join(map(_text, value)) or "none"
    return str(value)
