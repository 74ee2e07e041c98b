"""Do all scorers serve what is deployed? Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from driftline_schemas.control import DeployedBody
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
    statuses: Iterable[ScorerStatus], model: str, deployed: DeployedBody, now: int
) -> Confirmations:
    """What the newest status of each scorer says, at `now` (ms). Others than of `model`: left out.

    One from before the deployment confirms nothing, also where it names the version: it may have
    served another one since. (Scorers of former releases do not say which deployment they know.)
    A scorer that signed off serves nobody.
    """
    found = Confirmations()
    for status in sorted(statuses, key=lambda each: each.scorer_id):
        if status.signed_off or model not in status.versions:
            continue
        known = (status.seqs or {}).get(model, deployed.deployment_seq)
        if status.versions[model] == deployed.version_id and known >= deployed.deployment_seq:
            found.confirmed.append(status.scorer_id)
        elif now - status.at > SILENT_MS:
            found.silent.append(status.scorer_id)
        else:
            found.pending.append(status.scorer_id)
    return found
