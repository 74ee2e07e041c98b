"""May a version serve? It must answer on the reference rows, and quickly enough."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from driftline.scorer.ready import NoPredictionError, Ready
from driftline.scorer.reference_rows import Value, reference_rows

TRIES: Final = 3  # a row that was slow once may have been unlucky


@dataclass(frozen=True, slots=True)
class SanityCheck:
    """`seconds` is a stopwatch: in the service the CPU time of the thread that tries the rows, so
    that a busy machine refuses no version."""

    seconds: Callable[[], float]

    def fault(self, ready: Ready) -> str | None:
        """What is wrong with the version, in one sentence; None if it may serve."""
        contract = ready.version.contract
        rows = reference_rows(contract, ready.version.version_id)
        try:
            return self._too_slow(ready, rows, contract.spec.latency_limit_ms)
        except NoPredictionError as error:
            return f"On a reference row: {error}"

    def _too_slow(
        self, ready: Ready, rows: Sequence[dict[str, Value]], limit_ms: float | None
    ) -> str | None:
        for row in rows:
            if limit_ms is None:
                ready.predict(row)
            elif (taken := self._milliseconds(ready, row, limit_ms)) > limit_ms:
                return (
                    f"{ready.version.name} takes {taken:.3g} ms for a reference row, more than the"
                    f" {limit_ms:g} ms of its specification."
                )
        return None

    def _milliseconds(self, ready: Ready, row: dict[str, Value], limit_ms: float) -> float:
        """The time of the first try within the limit; else of the quickest."""
        best = float("inf")
        for _ in range(TRIES):
            began = self.seconds()
            ready.predict(row)
            best = min(best, (self.seconds() - began) * 1_000)
            if best <= limit_ms:
                break
        return best
