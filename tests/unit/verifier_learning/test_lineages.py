"""The verifier keeps the versions that the services keep."""

from random import Random
from typing import Any

import pytest

from driftline.core.learning import versions as theirs
from tests.verifier.learning.lineages import Lineage, is_kept


def test_the_same_numbers_are_kept() -> None:
    for newest in (0, 15, 16, 31, 32, 63, 64, 1_000, 4_095, 4_096):
        own = [number for number in range(newest + 1) if is_kept(number, newest)]
        assert own == [n for n in range(newest + 1) if theirs.is_kept(n, newest)]


class Counting:
    """A model that counts."""

    def __init__(self) -> None:
        self.labels = 0

    def learn_one(self, x: Any, y: Any) -> None:
        self.labels += 1

    def predict_one(self, x: Any) -> str:
        return f"{self.labels}"


@pytest.mark.parametrize("horizon", [100, 1_000, 1_000_000])
def test_the_same_version_answers_at_any_time(horizon: int) -> None:
    chance, time = Random(horizon), 0
    own = Lineage("l", "p", b"", {}, Counting(), False, horizon, 1, 0, 0, every=1)
    shelf = theirs.Shelf(horizon)
    for number in range(300):
        version = own.cut()
        manifest = theirs.Manifest("", 0, "", "")
        shelf.add(theirs.Version(number, "", (1, number), version.time, number, manifest))
        for asked in range(time - horizon, time + 20, max(1, horizon // 37)):
            wanted, found = shelf.before(asked), own.score({}, "", asked)
            assert (wanted and wanted.number) == (found and found.version.number)
        time += chance.choice((0, 1, 10, 30))
        own.learn(number + 1, {}, "", time)
