"""A big model comes into memory, and goes out of it, without holding up all else."""

import gc
import sys
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from types import FrameType
from typing import Any
from weakref import ref

import pytest
from river import tree

from driftline.core.learning.versions import Dumped
from driftline.runtime.models import collecting, loader, pickling
from driftline.runtime.models.collecting import BIG, COLLECTING, Collecting
from driftline.runtime.models.loader import ModelRefusedError, load
from driftline.runtime.models.pickling import dump
from tests.unit.core.learning.examples import CASES


@pytest.fixture(scope="module")
def big() -> Dumped:
    chance = Random(1)
    splitter = tree.splitter.EBSTSplitter()  # type: ignore[no-untyped-call]  # River's
    model: Any = tree.HoeffdingTreeRegressor(grace_period=10_000, max_depth=50, splitter=splitter)
    for _ in range(400):
        model.learn_one({f"f{i}": chance.random() for i in range(8)}, chance.random())
    dumped = dump(model)
    assert dumped.manifest.size >= BIG
    return dumped


@pytest.fixture(scope="module")
def small() -> Dumped:
    return dump(CASES["softmax"].build())


def is_looked_at(model: object) -> bool:
    return any(found is model for found in gc.get_objects())


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    yield
    gc.unfreeze()
    assert gc.isenabled()


def test_nothing_is_collected_while_a_model_is_hashed(
    big: Dumped, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for module in (loader, pickling):
        real = module.state_hash

        def watched(*given: Any, real: Any = real) -> Any:
            seen.append(gc.isenabled())
            return real(*given)

        monkeypatch.setattr(module, "state_hash", watched)
    dump(load(*big))
    assert seen == [False, False]
    assert gc.isenabled()


def test_the_collector_is_on_again_when_a_model_is_refused(big: Dumped, small: Dumped) -> None:
    with pytest.raises(ModelRefusedError, match="holds the state"):
        load(big.payload, replace(big.manifest, state_hash=small.manifest.state_hash))
    assert gc.isenabled()


def test_the_collector_stays_off_until_the_last_has_ended() -> None:
    collector = Collecting()
    with collector:
        with collector:
            pass
        assert not gc.isenabled()


def test_big_models_are_left_out_of_full_collections_and_small_ones_are_not(
    big: Dumped, small: Dumped
) -> None:
    assert is_looked_at(load(*small))
    assert not is_looked_at(load(*big))


class Cycle:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.me = self


def test_cycles_that_were_left_out_are_found_once_memory_has_doubled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cycle = Cycle()
    found = ref(cycle)
    collector = Collecting()
    with collector:
        collector.leave_out()
    del cycle
    gc.collect()
    assert found() is not None
    collector.leave_out()
    assert found() is not None
    collector._limit = sys.getallocatedblocks() // 2
    monkeypatch.setattr(collecting, "LEAST_BLOCKS", 0)
    collector.leave_out()
    assert found() is None
    assert collector._limit > sys.getallocatedblocks()


def test_a_pickle_is_read_in_pieces_between_which_others_get_their_turn(big: Dumped) -> None:
    pieces = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal pieces
        pieces += event == "call" and frame.f_code.co_name == "read"

    sys.setprofile(count)
    try:
        loader._read(big.payload)
    finally:
        sys.setprofile(None)
    assert pieces >= len(big.payload) / (64 << 10)
    assert not COLLECTING._inside
