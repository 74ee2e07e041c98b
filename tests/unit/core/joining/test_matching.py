"""The rules of the join, one key at a time; the laws over whole logs are in tests/unit/joiner."""

from dataclasses import dataclass, field

import pytest

from driftline.core.joining import envelope
from driftline.core.joining.envelope import LabelEvent, PredictionEvent, Value
from driftline.core.joining.halves import Half
from driftline.core.joining.matching import Limits, Matcher, Silence, same_value
from driftline.core.joining.remainders import Remainder
from driftline.core.joining.waiting_labels import Later, WaitingLabel

KEY = 7


@dataclass(slots=True)
class Said:
    """What the matcher found, in words."""

    lines: list[str] = field(default_factory=list)

    def joined(self, half: Half, label: WaitingLabel) -> None:
        self.lines.append(f"joined {half.offset} {label.offset}")

    def corrected(self, label: LabelEvent, later: Later, pair: Remainder, previous: Value) -> None:
        self.lines.append(f"corrected {later.offset} {previous}>{label.label} {pair.label_offset}")

    def unmatched_prediction(self, half: Half) -> None:
        self.lines.append(f"no label {half.offset}")

    def unmatched_label(self, label: WaitingLabel) -> None:
        self.lines.append(f"no prediction {label.offset}")

    def joined_late(self) -> None:
        self.lines.append("late")


class Bodies:
    def hash(self, raw: bytes) -> int:
        return hash(raw) & 0xFFFF

    def said(self, raw: bytes) -> envelope.Said:
        return envelope.Said(EVENT.predicted_at, EVENT.model_version, EVENT.prediction)


EVENT = PredictionEvent("id", "m", "v1", 0, {}, "yes", [], "")


class Key:
    """Everything that happens to one key."""

    def __init__(self, horizon: int = 1_000, window: int = 100) -> None:
        self.said = Said()
        self.matcher = Matcher(Limits(horizon, window), self.said, Bodies())
        self.offsets = [0, 0]

    def prediction(self, time: int, raw: bytes = b"p") -> str:
        self.offsets[0] += 1
        return self.matcher.prediction(KEY, Half(self.offsets[0], time, raw), EVENT)

    def label(self, time: int, value: Value = "yes") -> str:
        self.offsets[1] += 1
        return self.matcher.label(KEY, self.offsets[1], time, LabelEvent("id", "m", value))

    @property
    def lines(self) -> list[str]:
        return self.said.lines


@pytest.mark.parametrize("label_first", [True, False])
def test_corrections_are_the_same_whichever_half_came_first(label_first: bool) -> None:
    key = Key()
    if not label_first:
        key.prediction(0)
    said = [key.label(10, value) for value in ("yes", "yes", "no", "no", "yes")]
    if label_first:
        key.prediction(0)
    assert said == ["new", "repeat", "new", "repeat", "new"]
    assert key.lines == ["joined 1 1", "corrected 3 yes>no 1", "corrected 5 no>yes 1"]


def test_a_repeat_of_a_waiting_prediction_is_told_from_a_conflict_by_its_bytes() -> None:
    key = Key()
    said = [key.prediction(0), key.prediction(1_000), key.prediction(1_000, b"other")]
    assert said == ["new", "repeat", "conflict"]


def test_a_repeat_of_a_joined_prediction_is_known_for_the_window() -> None:
    key = Key()
    key.prediction(0)
    key.label(10)
    assert [key.prediction(110), key.prediction(110, b"other")] == ["repeat", "conflict"]
    assert key.prediction(111) == "new"


def test_a_label_past_the_window_begins_anew() -> None:
    key = Key()
    key.prediction(0)
    key.label(10)
    assert key.label(110, "no") == "new"
    assert key.label(111, "no") == "new"
    assert key.lines == ["joined 1 1", "corrected 2 yes>no 1"]
    assert key.matcher.labels.newest(KEY) is not None


def test_an_id_that_is_used_again_past_the_horizon_gives_the_first_one_up() -> None:
    key = Key()
    assert [key.prediction(0), key.prediction(1_001)] == ["new", "new"]
    assert key.lines == ["no label 1"]


def test_the_older_of_two_predictions_gets_the_label_though_it_was_given_up() -> None:
    key = Key()
    key.prediction(0)
    key.prediction(1_001)
    key.label(500)
    assert key.lines == ["no label 1", "late", "joined 1 1"]
    key.label(1_500)
    assert key.lines[-1] == "joined 2 2"


def test_labels_that_waited_one_by_one_become_corrections_of_the_first_that_joins() -> None:
    """A window longer than the horizon: the second might have had a partner of its own."""
    key = Key(horizon=100, window=1_000)
    key.label(0)
    assert [key.label(500, "no"), key.label(550, "yes"), key.label(1_050, "no")] == ["new"] * 3
    key.prediction(50)
    assert key.lines == ["joined 1 1", "corrected 2 yes>no 1", "corrected 3 no>yes 1"]
    rest = key.matcher.labels.newest(KEY)
    assert rest is not None
    assert (rest.offset, rest.label) == (4, "no")


def test_a_part_of_a_chain_that_lies_past_the_window_waits_on() -> None:
    key = Key(horizon=100, window=500)
    key.label(0)
    key.label(450, "no")
    key.label(520, "yes")
    key.prediction(0)
    assert key.lines == ["joined 1 1", "corrected 2 yes>no 1"]
    rest = key.matcher.labels.newest(KEY)
    assert rest is not None
    assert (rest.offset, rest.time, rest.label, rest.corrections) == (3, 520, "yes", ())


def test_a_prediction_joins_the_first_label_that_is_near_enough() -> None:
    key = Key(horizon=100, window=10)
    key.label(0)
    key.label(150)
    key.prediction(200)
    assert key.lines == ["joined 1 2"]


@pytest.mark.parametrize(
    ("predictions", "labels", "written"),
    [(2, 2, []), (1, 2, ["joined 1 1"]), (2, 1, ["joined 1 1"])],
    ids=["both committed", "the prediction is new", "the label is new"],
)
def test_a_rebuild_is_silent_about_pairs_of_which_both_were_committed(
    predictions: int, labels: int, written: list[str]
) -> None:
    key = Key()
    key.matcher.silence = Silence(predictions, labels)
    key.prediction(0)
    key.label(0)
    assert key.lines == written


@pytest.mark.parametrize(
    ("horizon", "grace"),
    [(1_000, 1_000), (60_000, 1_000), (3_600_000, 36_000), (604_800_000, 300_000)],
)
def test_the_grace_is_a_hundredth_of_the_horizon_within_bounds(horizon: int, grace: int) -> None:
    assert Limits(horizon, 1).grace == grace


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [("1", "1", True), ("1", 1, False), (1, 1.0, True), (0, "", False), (2, 3, False)],
)
def test_equal_labels_are_of_one_kind(one: Value, other: Value, equal: bool) -> None:
    assert same_value(one, other) is equal
