"""Do all scorers serve what is deployed? Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from driftline_schemas.registry import ScorerStatus

SILENT_MS: Final = 15_000  # three times the interval of the statuses


@dataclass(slots=True)
class Confirmations:
    """The scorers of a model by what they say about a version."""

    confirmed: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)  # alive, and with another version
    silent: list[str] = field(default_factory=list)  # not heard of, and not signed off

    @property
    def complete(self) -> bool:
        """Nobody can serve another version any more."""
        return not self.pending and not self.silent


def confirmations(
    statuses: Iterable[ScorerStatus], model: str, version_id: str, now: int
) -> Confirmations:
    """What the newest status of each scorer says, at `now` (ms). Others than of `model`: left out.

    A scorer that signed off serves nobody.
    """
    found = Confirmations()
    for status in sorted(statuses, key=lambda each: each.scorer_id):
        if status.signed_off or model not in status.versions:
            continue
        if status.versions[model] == version_id:
            found.confirmed.append(status.scorer_id)
        elif now - status.at > SILENT_MS:
            found.silent.append(status.scorer_id)
        else:
            found.pending.append(status.scorer_id)
    return found
