"""Which lineages does a model have, and how is each of them kept?"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self

from driftline.core.learning.lineage import Lineage, LineagePolicy, Payloads
from driftline.core.learning.versions import ModelCodec, Recipe, Version
from driftline.core.monitoring.lineages import ARCHIVED

MOST_ARCHIVED: Final = 2  # forks kept of a model's former champions


@dataclass(slots=True)
class Entrant:
    """A lineage under its name. `parent`: its newest registered version. An archived one is a fork
    of a version that served; of another `definition`, a pipeline begins anew."""

    name: str
    definition: str
    lineage: Lineage
    parent: str | None = None
    is_archived: bool = False

    @property
    def pipeline(self) -> str:
        """The pipeline of the specification that it comes from."""
        return self.lineage.recipe.pipeline

    def snapshot(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Its state as JSON types, and bytes by sha256."""
        kept = self.lineage.snapshot()
        row = {
            "name": self.name,
            "definition": self.definition,
            "parent": self.parent,
            "archived": self.is_archived,
            "learns": self.lineage.policy.learns,
            "recipe": asdict(self.lineage.recipe),
            "lineage": kept.manifest,
        }
        return row, kept.artifacts

    @classmethod
    def restore(
        cls, row: Mapping[str, Any], policy: LineagePolicy, codec: ModelCodec, artifacts: Payloads
    ) -> Self:
        """The entrant that `snapshot` gave; `policy` is that of its model."""
        policy = replace(policy, learns=row["learns"])
        recipe = Recipe(**row["recipe"])
        lineage = Lineage.restore(recipe, policy, codec, row["lineage"], artifacts)
        return cls(row["name"], row["definition"], lineage, row["parent"], row["archived"])


def archived(
    entrant: Entrant, version: Version, payload: bytes, deployment_seq: int, codec: ModelCodec
) -> Entrant:
    """A frozen fork of the version that left when deployment `deployment_seq` took over."""
    recipe = replace(entrant.lineage.recipe, origin={"version": version.version_id})
    fork = replace(version, number=0, version_id=recipe.version_id(version.offsets))
    policy = replace(entrant.lineage.policy, learns=False)
    return Entrant(
        f"{entrant.name}{ARCHIVED}{deployment_seq}",
        entrant.definition,
        Lineage.archived(recipe, policy, codec, fork, payload),
        parent=version.version_id,
        is_archived=True,
    )


def superfluous(entrants: Mapping[str, Entrant], deployed: str | None) -> list[str]:
    """The oldest archived ones beyond those that are kept; never the one that serves."""
    forks = [name for name, entrant in entrants.items() if entrant.is_archived]
    return [name for name in forks[:-MOST_ARCHIVED] if name != deployed]
