"""The registry's state: a fold over its facts. Every reader of the log comes to the same."""

from dataclasses import dataclass, field
from typing import cast

from driftline.core.registry.models import Decided, ModelState
from driftline_schemas.fields import parse_time
from driftline_schemas.registry import Fact, InstallationBody


@dataclass(slots=True)
class RegistryState:
    """What is in force, and which commands were decided on."""

    last: Fact | None = None
    installation: InstallationBody | None = None
    models: dict[str, ModelState] = field(default_factory=dict)
    commands: dict[str, int] = field(default_factory=dict)  # command_id -> seq of its fact

    def apply(self, fact: Fact) -> None:
        """Take in the next fact; the caller has checked the chain (`fact_chain.follow`)."""
        self.last = fact
        self.commands.setdefault(fact.command_id, fact.seq)
        if fact.outcome == "refused":
            return
        if fact.action == "installation":
            self.installation = self.installation or InstallationBody.model_validate(fact.body)
            return
        name = model_of(fact)
        model = self.models.setdefault(name, ModelState(name))
        _fold(model, fact)
        if "deployed" in fact.body:
            model.deploy(fact)


def model_of(fact: Fact) -> str:
    """The model that a fact is about."""
    body = fact.body["spec"] if fact.action == "apply_spec" else fact.body
    return cast("str", body["model"])


def _fold(model: ModelState, fact: Fact) -> None:
    match fact.action:
        case "apply_spec":
            model.apply_spec(fact)
        case "model_updated":
            model.register(fact)
        case "gate_evaluated":
            model.hear_gate(fact)
        case "schedule":
            model.settle(fact, parse_time(fact.body["due"]))
        case "hold" | "rollback":
            model.held[fact.body["held"]] = Decided.by(fact)
        case "lift":
            for lineage in fact.body["lifted"]:
                model.held.pop(lineage, None)
