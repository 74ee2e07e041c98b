"""No name that a producer chose moves a cursor, writes a clipboard or becomes a picture."""

from collections.abc import Callable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from driftline.cli import console
from driftline.cli.alerts import human_line
from driftline.cli.console import VisibleConsole, note, put, put_json, put_json_line, visible
from tests.unit.alerter.samples import an_alert

HOSTILE = "a\x1b]52;c;cm0=\x07\x1b]0;title\x07\x1b[2J\x9b31m\u202eb \u2066:fire: [red]c[/red]\x7f"
OBEYED = ("\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\x7f")


def is_harmless(written: str) -> bool:
    return not any(each in written for each in OBEYED)


def of_a_table(console: Console) -> None:
    table = Table(title=HOSTILE)
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    table.add_row(Text(HOSTILE))
    console.print(table)


PRINTED: dict[str, Callable[[Console], None]] = {
    "a text": lambda console: console.print(HOSTILE),
    "a styled text": lambda console: console.print(Text(HOSTILE), style="dim"),
    "two texts": lambda console: console.print(HOSTILE, HOSTILE),
    "parts": lambda console: console.print(Group(Panel(HOSTILE), HOSTILE, Text(HOSTILE))),
    "a table": of_a_table,
    "a log line": lambda console: console.log(HOSTILE),
    "live": lambda console: Live(Text(HOSTILE), console=console, auto_refresh=False).refresh(),
}


@pytest.mark.parametrize("printed", PRINTED.values(), ids=PRINTED)
def test_whatever_is_printed_is_seen_and_not_obeyed(
    printed: Callable[[Console], None], capsys: pytest.CaptureFixture[str]
) -> None:
    printed(VisibleConsole(width=200))
    written = capsys.readouterr().out
    assert is_harmless(written)
    if "live" not in PRINTED or printed is not PRINTED["live"]:
        assert r"\x1b[2J\x9b31m\u202eb \u2066:fire: [red]c[/red]" in written


def test_lines_for_people_keep_their_lines_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(f"first\n{HOSTILE}\nlast")
    note(f"first\n{HOSTILE}\nlast")
    out, err = capsys.readouterr()
    assert out == err
    assert out.splitlines()[0::2] == ["first", "last"]
    assert is_harmless(out)
    assert ":fire: [red]c[/red]" in out


def test_the_colours_of_our_own_reach_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = VisibleConsole()
    with coloured.capture() as captured:
        coloured.print(Text("down", "bold red"))
    assert captured.get() == "\x1b[1;31mdown\x1b[0m\n"


@given(st.text())
def test_a_visible_text_is_one_line_and_says_what_it_hides(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert visible(shown) == shown
    if text.isprintable():
        assert shown == text


def test_a_visible_text_names_what_cannot_be_seen() -> None:
    assert visible("a\nb\x1b\u202e") == r"a\nb\x1b\u202e"


@given(st.dictionaries(st.text(), st.text() | st.none() | st.lists(st.text())))
def test_json_says_the_same_in_characters_that_can_be_seen(value: dict[str, object]) -> None:
    line = console.UNSEEN.sub(console._escaped, orjson.dumps(value).decode())
    assert line.isprintable()
    assert orjson.loads(line) == value


def test_json_on_stdout_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    put_json({"model": HOSTILE, "tag": "\U000e0041", "name": "Zürich 東京 🔥"})
    put_json_line(orjson.dumps({"model": HOSTILE}))
    first, second = capsys.readouterr().out.splitlines()
    assert is_harmless(first + second)
    assert orjson.loads(first) == {"model": HOSTILE, "tag": "\U000e0041", "name": "Zürich 東京 🔥"}
    assert orjson.loads(second) == {"model": HOSTILE}
    assert "Zürich 東京 🔥" in first


def test_a_summary_with_lines_stays_one_line() -> None:
    line = human_line(an_alert(summary="moved\nRESOLVED  other  data  all is well"), 0)
    assert line.isprintable()
