"""How far the groups are behind, and what everything has cost, sampled while a run goes on."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Final, Self

from confluent_kafka import Consumer, TopicPartition

from driftline_schemas.topics import JOURNAL, LABELS, PREDICTIONS, Topic, consumer_group
from loadtests.cpu import cpu_by_name
from loadtests.installation import Installation, Roles

INPUTS: Final = {"joiner": (PREDICTIONS, LABELS), "monitor": (JOURNAL,)}
EVERY_SECONDS: Final = 0.25
ANSWER_SECONDS: Final = 10.0


class GroupLag:
    """Records in `topics` that a group has not committed; committed means saved with its state."""

    def __init__(self, brokers: str, prefix: str, group: str, topics: Sequence[Topic]) -> None:
        # It only asks: without a subscription it never becomes a member of the group.
        self._consumer = Consumer({"bootstrap.servers": brokers, "group.id": group})
        self._places = [
            TopicPartition(topic.full_name(prefix), partition)
            for topic in topics
            for partition in range(topic.partitions)
        ]

    def now(self) -> int:
        """The lag at this moment."""
        committed = self._consumer.committed(self._places, timeout=ANSWER_SECONDS)
        return sum(self._end(place) - max(0, place.offset) for place in committed)

    def is_none(self) -> bool:
        """Everything is committed."""
        return self.now() == 0

    def _end(self, place: TopicPartition) -> int:
        ends = self._consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS)
        return int(ends[1]) if ends else 0

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: seconds since the start, lag and CPU seconds by role."""

    at: float
    lag: dict[str, int]
    cpu: dict[str, float]


@dataclass(slots=True)
class Watch:
    """Looks at intervals, from a thread of its own, while the `with` block runs."""

    lags: dict[str, GroupLag]
    cpu: Callable[[], dict[str, float]]
    samples: list[Sample] = field(default_factory=list)
    _began: float = 0.0
    _ended: Event = field(default_factory=Event)
    _thread: Thread | None = None

    def __enter__(self) -> Self:
        self._began = monotonic()
        self.look()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        for lag in self.lags.values():
            lag.close()

    def seconds(self) -> float:
        """Since the start."""
        return monotonic() - self._began

    def look(self) -> None:
        """Take one sample; CPU last, so that a lag of 0 comes with all that it cost."""
        at = self.seconds()
        lag = {role: lag.now() for role, lag in self.lags.items()}
        self.samples.append(Sample(at, lag, self.cpu()))

    def _run(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            self.look()


def watch(made: Installation, roles: Roles) -> Watch:
    """Looks at the lag of joiners and monitor, and at what servers and roles have cost."""
    pids = {**made.found.pids, **roles.pids}
    return Watch({role: _lag_of(made, role) for role in INPUTS}, lambda: cpu_by_name(pids))


def wait_until_idle(made: Installation, roles: Roles) -> None:
    """Until those of joiners and monitor that run have committed all that there is."""
    for role in [role for role in INPUTS if role in roles.pids]:  # the monitor reads the joiner's
        with closing(_lag_of(made, role)) as lag:
            roles.wait(lag.is_none)


def _lag_of(made: Installation, role: str) -> GroupLag:
    group = consumer_group(made.prefix, role)
    return GroupLag(made.found.brokers, made.prefix, group, INPUTS[role])


def first_idle(samples: Sequence[Sample], role: str, after: float) -> Sample | None:
    """The first look at or after `after` (s) at which the role had nothing left to do."""
    return next((s for s in samples if s.at >= after and s.lag[role] == 0), None)
