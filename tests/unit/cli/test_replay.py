"""Do recorded rows come out in order, in time, and their labels after them?"""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from driftline.cli.recorded_rows import Columns, guessed_kinds, recorded_rows
from driftline.cli.replay import Delay, Replay, Row, paced, within
from driftline.cli.replay_command import parse_delay, parse_speed


class ManualTimer:
    """Time passes only by waiting."""

    def __init__(self) -> None:
        self.now = 100.0

    def elapsed(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


class RecordingApp:
    """Notes what is published and when."""

    def __init__(self, timer: ManualTimer) -> None:
        self._timer = timer
        self.events: list[tuple[str, float]] = []
        self.predictions: list[object] = []

    def log_prediction(self, *, model: str, model_version: str, features: Mapping[str, Any],
                       prediction: object, prediction_id: str,
                       predicted_at: datetime | None) -> str | None:  # fmt: skip
        self.events.append((f"prediction {prediction_id}", round(self._timer.now - 100, 6)))
        self.predictions.append(prediction)
        return prediction_id

    def log_label(self, *, model: str, prediction_id: str, label: object) -> bool:
        self.events.append((f"label {prediction_id}", round(self._timer.now - 100, 6)))
        return True


def play(rows: int, **how: Any) -> RecordingApp:
    timer = ManualTimer()
    app = RecordingApp(timer)
    recorded = [Row(i, {}, prediction="a", label="b") for i in range(rows)]
    replay = Replay(recorded, app, model="m", name="f", timer=timer, **how)
    for _ in replay.run():
        pass
    return app


def test_without_a_delay_each_label_follows_its_prediction() -> None:
    assert [event for event, _ in play(2).events] == [
        "prediction f-0", "label f-0", "prediction f-1", "label f-1",
    ]  # fmt: skip


def test_a_delay_in_rows_brings_the_label_after_a_later_prediction() -> None:
    assert play(4, rate=10.0, delay=Delay(rows=2)).events == [
        ("prediction f-0", 0.0), ("prediction f-1", 0.1),
        ("prediction f-2", 0.2), ("label f-0", 0.2),
        ("prediction f-3", 0.3), ("label f-1", 0.3),
        ("label f-2", 0.4), ("label f-3", 0.5),
    ]  # fmt: skip


def test_a_delay_in_seconds_is_kept_at_any_rate() -> None:
    assert play(3, rate=10.0, delay=Delay(seconds=0.2)).events[-1] == ("label f-2", 0.4)
    assert play(3, delay=Delay(seconds=30.0)).events == [
        ("prediction f-0", 0.0), ("prediction f-1", 0.0), ("prediction f-2", 0.0),
        ("label f-0", 30.0), ("label f-1", 30.0), ("label f-2", 30.0),
    ]  # fmt: skip


def test_a_model_can_predict_instead_of_the_record() -> None:
    app = play(2, predict=lambda row: row.number * 10)
    assert app.predictions == [0, 10]


def test_rows_that_are_late_catch_up() -> None:
    timer = ManualTimer()
    times = []
    for row in paced(range(4), 10.0, timer):
        times.append(round(timer.now - 100, 6))
        timer.now += 0.25 if row == 0 else 0.0
    assert times == [0.0, 0.25, 0.25, 0.3]


def test_a_range_includes_its_ends() -> None:
    rows = [Row(i, {}) for i in range(10)]
    assert [row.number for row in within(rows, 3, 5)] == [3, 4, 5]
    assert [row.number for row in within(rows, 8, None)] == [8, 9]


def test_fields_are_cast_by_their_kind(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("n,c,b,p,l\n1.5,x,true,1,True\n,,,0,\noops,7,maybe,1,False\n")
    columns = Columns({"n": "numeric", "c": "categorical", "b": "boolean"}, "p", "l", "binary")
    assert list(recorded_rows(file, columns)) == [
        Row(0, {"n": 1.5, "c": "x", "b": True}, "1", "true"),
        Row(1, {"n": None, "c": None, "b": None}, "0", None),
        Row(2, {"n": "oops", "c": "7", "b": "maybe"}, "1", "false"),
    ]


def test_kinds_are_guessed_when_no_spec_names_them(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("n,c,b,p\n1,x,true,1\n,7,false,0\n")
    assert guessed_kinds(file, ["p"]) == {"n": "numeric", "c": "categorical", "b": "boolean"}


@pytest.mark.parametrize(
    ("text", "delay"),
    [("100rows", Delay(rows=100)), ("1 row", Delay(rows=1)), ("30s", Delay(seconds=30.0)),
     ("5m", Delay(seconds=300.0))],
)  # fmt: skip
def test_a_label_delay_is_rows_or_time(text: str, delay: Delay) -> None:
    assert parse_delay(text) == delay


@pytest.mark.parametrize("text", ["100", "0", "2.5", " 7 "])
def test_a_delay_without_a_unit_is_refused_because_it_may_mean_either(text: str) -> None:
    number = text.strip()
    with pytest.raises(typer.BadParameter, match=rf"Write {re.escape(number)}rows or .*{number}s"):
        parse_delay(text)


def test_a_replay_knows_how_many_labels_are_due() -> None:
    timer = ManualTimer()
    recorded = [Row(i, {}, prediction="a", label="b") for i in range(5)]
    replay = Replay(recorded, RecordingApp(timer), model="m", name="f", timer=timer,
                    delay=Delay(rows=2))  # fmt: skip
    steps = replay.run()
    assert [replay.due for _ in zip(range(4), steps, strict=False)] == [1, 2, 2, 2]
    for _ in steps:
        pass
    assert replay.due == 0


def test_a_speed_is_rows_per_second_or_max() -> None:
    assert parse_speed("40") == 40.0
    assert parse_speed("max") == 0.0
