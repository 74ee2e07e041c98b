"""How far is each role, and how fast? Two looks at its group, some seconds apart. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from driftline.runtime.group_looks import RoleLook
from driftline.runtime.ports import TP

ALWAYS_NEEDED = frozenset({"joiner", "monitor"})


@dataclass(frozen=True, slots=True)
class Progress:
    """A role between two looks; rates in records a second.

    stood_still: records that waited at the first look in partitions of which nothing was committed
    since. (What came in between may just not have had its checkpoint.)
    """

    now: RoleLook
    coming: float
    done: float
    lag_grew: int
    stood_still: int

    @property
    def role(self) -> str:
        return self.now.role


def progress(before: RoleLook, now: RoleLook) -> Progress:
    """What happened to a role between the two."""
    seconds = max(now.at - before.at, 1e-6)
    came = sum(end - before.ends.get(tp, end) for tp, end in now.ends.items())
    done = sum(place - _place(before, tp, place) for tp, place in now.committed.items())
    still = sum(before.lag(tp) for tp in before.ends
                if before.committed.get(tp) == now.committed.get(tp))  # fmt: skip
    grew = now.total_lag - before.total_lag
    return Progress(now, came / seconds, done / seconds, grew, still)


def by_topic(look: RoleLook) -> Mapping[str, int]:
    """The lag of each of the role's topics."""
    lags: dict[str, int] = {}
    for tp in look.ends:
        lags[tp.topic] = lags.get(tp.topic, 0) + look.lag(tp)
    return lags


def is_needed(look: RoleLook, *, somebody_learns: bool) -> bool:
    """Whether an installation misses something while nobody plays this role."""
    if look.role == "learner":
        return somebody_learns
    return look.role in ALWAYS_NEEDED or look.has_run


def _place(look: RoleLook, tp: TP, default: int) -> int:
    """Where it was; a group without a commit stands at the beginning."""
    return look.committed.get(tp, look.begins.get(tp, default))
