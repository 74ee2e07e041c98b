"""The demo's stream through learner and registry: fault, takeover, repair, the comeback."""

import pytest

from driftline.demo.segments import KNOWN_ROWS, LAST_ROW, rows, segments
from driftline.demo.stream import Fault
from tests.unit.core.learning.examples import scaled, sgd
from tests.world.loop import World
from tests.world.streams import Played, csv_of, play

SOFTMAX = scaled("linear_model.SoftmaxRegression", optimizer=sgd(0.01))
TREE = [{"class": "tree.HoeffdingAdaptiveTreeClassifier", "parameters": {"seed": 1}}]
FAULT = Fault(1_771, 3_387)
KNOWN = {"file": "known.csv", "label": "class"}


def begin(seed: int) -> World:
    known = rows()[:KNOWN_ROWS]
    world = World()
    world.apply(
        {
            "model": "segments", "task": "multiclass",
            "features": [{"name": name, "kind": "numeric"} for name in known[0][0]],
            "pipelines": {"champion": SOFTMAX, "softmax": SOFTMAX, "tree": TREE},
            "train": {"champion": {**KNOWN, "passes": 20, "seed": seed}},
            "warm": {"softmax": KNOWN, "tree": KNOWN},
            "champion": "champion", "version_every": 50, "follow": True,
        },
        {"known.csv": csv_of(known)},
    )  # fmt: skip
    return world


def run(seed: int, fault: Fault | None, late: int = 100) -> tuple[World, Played]:
    world = begin(seed)
    streamed = [(dict(x), str(y)) for _, x, y in segments().played(fault)]
    return world, play(world, streamed, first=KNOWN_ROWS, late=lambda row: late)


def test_the_challenger_takes_over_in_the_fault_and_the_champion_comes_back() -> None:
    world, played = run(0, FAULT)
    found = [what for _, what in played.happened]
    assert found == [
        "opened", "softmax promoted on 205", "resolved", "opened", "champion promoted on 216",
        "resolved",
    ]  # fmt: skip
    tolerated = [(1_900, 1_930), (2_205, 2_270), (2_400, 2_620), (3_540, 3_710), (3_700, 4_080),
                 (3_900, 4_250)]  # fmt: skip
    for (row, what), (first, last) in zip(played.happened, tolerated, strict=True):
        assert first <= row <= last, what
    assert 0.76 <= played.accuracy() <= 0.80
    assert world.model.deployed.body.lineage == "champion"
    assert len(played.served) == LAST_ROW + 1 - KNOWN_ROWS


def test_without_a_fault_nobody_is_promoted() -> None:
    world, played = run(1, None)
    assert played.happened == []
    assert world.model.deployed.body.deployment_seq == 1
    assert played.accuracy() > 0.88


@pytest.mark.parametrize("late", [0])
def test_labels_that_come_at_once_make_a_faster_loop(late: int) -> None:
    _, played = run(0, FAULT, late)
    row, what = played.happened[1]
    assert what.startswith("softmax promoted")
    assert row < 2_100
