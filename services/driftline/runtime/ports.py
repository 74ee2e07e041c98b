"""What a service sees of the outside world; each port has an in-memory twin in `memory.py`."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

Payload = TypeVar("Payload")
Saved = TypeVar("Saved", covariant=True)


class TP(NamedTuple):
    """A partition of a topic; equal to the broker clients' own tuples."""

    topic: str
    partition: int


class Record(Protocol):
    """A consumed record; `timestamp` in milliseconds since the epoch."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Clock(Protocol):
    """Wall clock, milliseconds since the epoch."""

    def now(self) -> int: ...


class OutputsLostError(Exception):
    """The broker refused records for good: the inputs that made them must be replayed."""


class Outputs(Protocol):
    """Where records go. Acknowledged by the broker only once `flush` has said so."""

    def produce(
        self, topic: str, value: bytes, *, key: str | None = None, partition: int | None = None
    ) -> None:
        """Queue one record; without a partition, murmur2 of the key chooses."""

    @property
    def is_full(self) -> bool:
        """Whether so much waits for the broker that nothing more should be produced now."""

    async def flush(self) -> bool:
        """True when all is acknowledged, False while some is not; raises OutputsLostError."""


@dataclass(frozen=True, slots=True)
class Stored(Generic[Payload]):
    """A saved state and the offsets (topic to next offset) that it stands for."""

    offsets: Mapping[str, int]
    topic_ids: Mapping[str, str]
    payload: Payload


@dataclass(frozen=True, slots=True)
class Claim(Generic[Payload]):
    """Our fencing token, and what is stored unless our memory still holds it."""

    token: int
    memory_is_current: bool
    stored: Stored[Payload] | None


class StateStore(Protocol[Payload]):
    """Keeps one state per partition number, fenced by a token per partition."""

    async def claim(self, partition: int, mine: int | None) -> Claim[Payload]:
        """Own the partition; any older token is refused from now on."""

    async def save(self, partition: int, token: int, state: Stored[Payload]) -> bool:
        """Write in one atomic step; False when somebody else has claimed since."""

    async def still_owned(self, tokens: Mapping[int, int]) -> set[int]:
        """Those partitions whose token is still the given one."""


class Reader(Protocol):
    """The consumer's side of the broker."""

    async def committed(self, tp: TP) -> int | None:
        """The offset committed for us; None for none."""

    async def begin(self, tps: Collection[TP]) -> Mapping[TP, int]:
        """The first offset that each partition still has."""

    async def end(self, tps: Collection[TP]) -> Mapping[TP, int]:
        """The offset that each partition's next record will get."""

    async def seek(self, offsets: Mapping[TP, int]) -> None:
        """Read on from there; raises for a partition that is not assigned to us."""

    async def commit(self, offsets: Mapping[TP, int]) -> None:
        """Commit; raises when the broker did not accept it."""

    def highwater(self, tp: TP) -> int | None:
        """The end as the last fetch saw it; None before the first."""

    def rejoin(self) -> None:
        """Ask for a new assignment."""


class StoreUnavailableError(Exception):
    """The state store does not answer in time."""


@dataclass(frozen=True, slots=True)
class Opening(Generic[Payload]):
    """How a partition starts: with `payload`, which stands for `offsets`; None is an empty state.

    `committed` is empty unless outputs were committed beyond `offsets` (the store lost a state):
    then what follows from records below it was written before and is not to be written again.
    """

    partition: int
    payload: Payload | None
    offsets: Mapping[str, int]
    committed: Mapping[str, int]
    end: Mapping[str, int]


class PartitionState(Protocol[Saved]):
    """All that a service knows about one partition number of its co-partitioned topics."""

    async def prepare(self, topic: str, records: Sequence[Record]) -> None:
        """Fetch from outside what `apply` will need; may be repeated."""

    def apply(self, topic: str, records: Sequence[Record]) -> Awaitable[None] | None:
        """Fold the records in; deterministic; may raise (rolled back, isolated). What takes long
        is awaited: nothing else is asked of the state meanwhile but `prepare` and `busy_at`."""

    def start(self, offsets: Mapping[str, int]) -> Mapping[str, int]:
        """Where to read on, given the offsets of the opening."""

    def changed(self) -> bool:
        """True when something is to be saved although no record was read."""

    def offsets(self, read: Mapping[str, int]) -> Mapping[str, int]:
        """What a checkpoint taken now stands for; `read` is the next record expected per topic."""

    def ready(self) -> bool:
        """False while the state still re-reads what its checkpoint lacks: no new one until then."""

    def due(self) -> bool:
        """False puts the checkpoint off, where one is costly; not asked when all is given up."""

    def busy_at(self) -> int:
        """When (ms) `prepare` or `apply` last got on with long work; 0 if it never has any."""

    def cut(self) -> Saved | Awaitable[Saved]:
        """Freeze what is to be saved. Awaited as `apply` is; `prepare` may run meanwhile."""

    def full(self) -> bool:
        """True asks for a checkpoint before more is read."""

    def saved(self) -> bool:
        """The cut was written; True asks for another checkpoint at once."""


Open = Callable[[Opening[Payload]], Awaitable[PartitionState[Payload]]]
