"""The registry's state: a fold over its facts. Every reader of the log comes to the same."""

from dataclasses import dataclass, field
from typing import Final, cast

from pydantic import ValidationError

from driftline.core.fact_chain import BrokenChainError
from driftline.core.registry.id_index import IdIndex
from driftline.core.registry.models import Decided, ModelState
from driftline_schemas.codec import first_fault
from driftline_schemas.fields import parse_time
from driftline_schemas.registry import Fact, InstallationBody

# What a body that is not as it should be makes the code that takes it apart raise.
MISFIT: Final = (
    ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
)  # fmt: skip


@dataclass(slots=True)
class RegistryState:
    """What is in force, and which commands were decided on."""

    last: Fact | None = None
    installation: InstallationBody | None = None
    models: dict[str, ModelState] = field(default_factory=dict)
    commands: IdIndex = field(default_factory=IdIndex)  # command_id -> seq of its fact

    def apply(self, fact: Fact) -> None:
        """Take in the next fact; the caller has checked the chain (`fact_chain.follow`).

        BrokenChainError for one that cannot be: that ends the use of this state.
        """
        try:
            self._take_in(fact)
        except MISFIT as error:
            raise BrokenChainError(
                f"fact {fact.seq} ({fact.action}) cannot be taken in: {misfit_said(error)}"
            ) from error
        self.last = fact
        self.commands.add(fact.command_id, fact.seq)

    def _take_in(self, fact: Fact) -> None:
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


def misfit_said(error: Exception) -> str:
    """What is wrong, in one line."""
    if isinstance(error, ValidationError):
        return first_fault(error)
    return f"{type(error).__name__} ({error})" if str(error) else type(error).__name__


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
        case "retrain":
            model.retrain(fact)
        case "hold" | "rollback":
            model.held[fact.body["held"]] = Decided.by(fact)
        case "lift":
            for lineage in fact.body["lifted"]:
                model.held.pop(lineage, None)
