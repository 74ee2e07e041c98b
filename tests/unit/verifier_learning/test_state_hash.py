"""The verifier's own builder and hash agree with the services' on every class that may be used."""

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from math import nan
from struct import pack

import numpy as np
import pytest
from river.stats import Mean

from driftline.core.learning.state_hash import state_hash as hash_of_the_services
from tests.unit.core.learning.examples import CASES, learn, rows
from tests.verifier.learning.pipelines import build
from tests.verifier.learning.state_hash import NoHash, state_hash


@pytest.mark.parametrize("name", CASES)
def test_a_pipeline_that_learned_the_same_has_the_same_hash(name: str) -> None:
    case = CASES[name]
    theirs, own = case.build(), build(case.steps, case.task, dict(case.schema.kinds))
    assert state_hash(own) == hash_of_the_services(theirs)
    learn(theirs, rows(case, 400))
    learn(own, rows(case, 400))
    assert state_hash(own) == hash_of_the_services(theirs)
    assert [own.predict_one(x) for x, _ in rows(case, 50, seed=2)] == [
        theirs.predict_one(x) for x, _ in rows(case, 50, seed=2)
    ]


class Names(dict[str, int]):
    """No longer exactly a dict."""

    def __init__(self) -> None:
        super().__init__(a=1)
        self.unit = "m"

    def total(self) -> int:
        return sum(self.values())


MET_TWICE = [None]
ZERO, ONE_AND_A_HALF = bytes(8), pack("<d", 1.5)
NAMES = f"{Names.__module__}.Names".encode()
NAMES_WRITTEN = b"object;s%d:%s2;s10:<elements>{1:s1:ai1;s4:units1:m" % (len(NAMES), NAMES)
WRITTEN: dict[str, tuple[object, bytes]] = {
    "atoms": (
        (None, True, False, -12, 1.5, nan, "\u00e9", b"xyz"),
        b"(8;ntui-12;f" + ONE_AND_A_HALF + b"f\0\0\0\0\0\0\xf8\x7fs2:\xc3\xa9b3:xyz",
    ),
    "the example": (
        {"b": MET_TWICE, "a": [MET_TWICE, 1.5]},
        b"{2:s1:a[2;[1;nf" + ONE_AND_A_HALF + b"s1:b&2;",
    ),
    "a set": ({10, 9, (1, "a")}, b"set3;(2;i1;s1:ai10;i9;"),
    "what has no number": (
        [((),), frozenset("ba"), max, MET_TWICE, MET_TWICE],
        b"[5;(1;(0;set2;s1:as1:bname;s12:builtins.max[1;n&1;",
    ),
    "a deque": (deque([1], 3), b"deque;i3;[1;i1;"),
    "an ordered dict": (OrderedDict(b=1, a=2), b"ordered;{2:s1:bi1;s1:ai2;"),
    "a counter": (Counter("aba"), b"counter;{2:s1:ai2;s1:bi1;"),
    "a default": (defaultdict(int, a=1), b"default;name;s12:builtins.int{1:s1:ai1;"),
    "a method": (Names().total, b"method;s11:Names.total" + NAMES_WRITTEN),
    "a partial": (
        partial(max, 1, default=2), b"partial;(2;name;s12:builtins.maxi1;{1:s7:defaulti2;",
    ),
    "an array": (np.array([[1, 2]], "<i2"), b"array;s9:<i2(1, 2)\1\0\2\0"),
    "a scalar": (np.float64(1.5), b"array;s5:<f8()" + ONE_AND_A_HALF),
    "an object": (Mean(), b"object;s21:river.stats.mean.Mean2;s5:_meanf" + ZERO + b"s1:nf" + ZERO),
    "a subclass": (Names(), NAMES_WRITTEN),
}  # fmt: skip


@pytest.mark.parametrize("of", [state_hash, hash_of_the_services], ids=["verifier", "services"])
@pytest.mark.parametrize(("value", "written"), WRITTEN.values(), ids=WRITTEN)
def test_what_is_hashed_is_what_the_definition_says(
    of: Callable[[object], str], value: object, written: bytes
) -> None:
    assert of(value) == sha256(b"driftline state 1\n" + written).hexdigest()


def test_a_state_that_the_definition_does_not_cover_has_no_hash() -> None:
    with pytest.raises(NoHash):
        state_hash([memoryview(b"x")])
