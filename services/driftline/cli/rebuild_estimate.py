"""How many records would a rebuild of a role's state read, and how long would that take?"""

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

from driftline.runtime.group_looks import RoleLook
from driftline.runtime.log_reading import read_stretches
from driftline.runtime.ports import TP
from driftline.runtime.settings import Settings
from driftline.runtime.topic_tail import read_tail
from driftline_schemas.codec import UnreadableEvent, decode
from driftline_schemas.registry import Checkpoint
from driftline_schemas.topics import CHECKPOINTS

SAMPLE_SECONDS: Final = 1.0
FEWEST: Final = 500  # records that tell how fast the topic can be read
# CPU of one record on one core. Rebuilds of 128,000 records of the joiner and 64,000 of the monitor
# took 15 and 17 us with two features; records with twenty are three times as large. The learner's
# lies between 10 us (logistic regression) and 1,200 us (a forest of ten trees) a label.
COST_US: Final = {"joiner": 30.0, "monitor": 30.0, "learner": 250.0}


@dataclass(frozen=True, slots=True)
class Estimate:
    """`seconds` is for one process on one core of its own."""

    role: str
    records: int
    after: int  # records beyond what was committed: the lag, read as ever
    read_per_second: float
    cost_us: float

    @property
    def seconds(self) -> float:
        """Reading and applying; on one core they do not overlap."""
        reading = self.records / self.read_per_second if self.read_per_second else 0.0
        return reading + self.records * self.cost_us / 1e6


def stretches_of(
    look: RoleLook, restarts: Mapping[int, int] | None = None
) -> dict[TP, tuple[int, int]]:
    """What is read again: from the beginning, or where a checkpoint stands, to the last commit."""
    found = {}
    for tp, committed in look.committed.items():
        begin = look.begins[tp]
        first = max(begin, (restarts or {}).get(tp.partition, begin))
        if first < committed:
            found[tp] = (first, committed)
    return found


def restarts_of(settings: Settings, look: RoleLook) -> dict[int, int]:
    """Where partitions go on from by the topic `checkpoints`, which learner and monitor keep."""
    if look.role not in ("learner", "monitor"):
        return {}
    # It brings structlog, of the extra `services`; the other commands do without.
    from driftline.runtime.checkpoint_topic import newest_of

    topic = CHECKPOINTS.full_name(settings.topic_prefix)
    raw = read_tail(settings.brokers, topic, range(CHECKPOINTS.partitions))
    told = [each for record in raw if (each := _checkpoint(record))]
    starts: dict[int, int] = {}
    for tp, committed in look.committed.items():
        known = newest_of(told, look.role, tp.partition).values()
        if offsets := [each.offset for each in known if each.offset <= committed]:
            starts[tp.partition] = min(offsets)
    return starts


def estimate(settings: Settings, look: RoleLook) -> Estimate:
    """Reads a sample for at most a second."""
    stretches = stretches_of(look, restarts_of(settings, look))
    records = sum(end - first for first, end in stretches.values())
    speed = _reading_speed(settings.brokers, stretches)
    return Estimate(look.role, records, look.total_lag, speed, COST_US[look.role])


def _reading_speed(brokers: str, stretches: Mapping[TP, tuple[int, int]]) -> float:
    """Records a second, from the first one on; 0 if there are too few to tell."""
    came = [monotonic() for _ in read_stretches(brokers, stretches, seconds=SAMPLE_SECONDS)]
    few = len(came) < FEWEST or came[-1] == came[0]
    return 0.0 if few else len(came) / (came[-1] - came[0])


def _checkpoint(raw: bytes) -> Checkpoint | None:
    try:
        return decode(Checkpoint, raw)
    except UnreadableEvent:
        return None
