"""What one run of the demo is to do."""

from dataclasses import dataclass
from random import Random

from driftline.demo.segments import STREAMED_ROWS, Fault


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate` in rows per second; `seed` of the champion's training and of the kills."""

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
        return sorted(chance.sample(range(40, STREAMED_ROWS - 40), self.kills))
