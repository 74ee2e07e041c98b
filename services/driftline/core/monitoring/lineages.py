"""Which lineage serves, and which one made a prediction?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Self

from driftline_schemas.control import DeployedBody

VERSIONS_KEPT: Final = 256  # a lineage that follows deploys one every few dozen labels
ARCHIVED: Final = "/archived-"  # names the frozen fork of a lineage that went on learning


def family(lineage: str) -> str:
    """A lineage and the forks that were archived of it are one family: made for the same data."""
    return lineage.partition(ARCHIVED)[0]


@dataclass(slots=True)
class Lineages:
    """The lineages of the newest versions of one model that were deployed. With none deployed the
    model is served outside, and all its versions are one lineage without a name."""

    serving: str | None = None
    _of: dict[str, str] = field(default_factory=dict)  # by version, the newest last

    def deployed(self, body: DeployedBody) -> None:
        """Another version serves."""
        self.serving = body.lineage
        self._of.pop(body.version_id, None)
        self._of[body.version_id] = body.lineage
        for version in list(islice(self._of, max(0, len(self._of) - VERSIONS_KEPT))):
            del self._of[version]

    def of(self, model_version: str) -> str | None:
        """The lineage of a version; None if it is not known to have been deployed."""
        return self._of.get(model_version)

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {"serving": self.serving, "of": list(self._of.items())}

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> Self:
        """The state that `snapshot` gave."""
        return cls(snapshot["serving"], dict(snapshot["of"]))
