"""What one run of the demo is to do."""

from dataclasses import dataclass
from random import Random

from driftline.demo.own_rows import OwnRows, own_stream
from driftline.demo.segments import segments
from driftline.demo.stream import Fault, Stream


@dataclass(frozen=True, slots=True)
class Plan:
    """`own`: the user's rows are played; `rate` in rows per second; `seed` of the champion's
    training and of the kills."""

    stream: Stream
    own: OwnRows | None
    fault: Fault | None
    seed: int
    rate: float
    learns: bool
    kills: int

    @property
    def roles(self) -> tuple[str, ...]:
        """The services that run."""
        watching = ("joiner", "monitor", "alerter", "api")
        return (*watching, "registry", "learner", "scorer") if self.learns else watching

    def kill_rows(self) -> list[int]:
        """After how many rows the learner is killed each time."""
        chance = Random(self.seed)  # noqa: S311 - reproducible, not secret
        return sorted(chance.sample(range(40, self.stream.streamed - 40), self.kills))


def stream_of(own: OwnRows | None) -> Stream:
    """The user's rows, or the demo's own."""
    return segments() if own is None else own_stream(own)
