"""A registry in memory: commands in, facts out, by the same fold and decisions as the real one."""

from dataclasses import dataclass, field
from typing import Any

from driftline.core.fact_chain import Draft, seal
from driftline.core.registry.deciding import decide
from driftline.core.registry.decision import Decision, Moment
from driftline.core.registry.schedules import Timetable
from driftline.core.registry.state import RegistryState
from driftline_schemas.codec import content_hash, short_hash
from driftline_schemas.registry import Fact, InstallationBody, RegistryCommand

START = 1_790_000_000_000  # 2026-09-21T14:13:20Z, a Monday
BINS = {
    "bins_id": "00000000000000b1",
    "effective_from": "2020-01-01T00:00:00.000Z",
    "features": {"age": {"kind": "numeric", "edges": [1.0], "reference": [1, 1, 0, 0]}},
    "n": 2,
}
INSTALLATION = InstallationBody(
    label_horizon_ms=1, partitions={}, topic_ids={}, bins_lead_seconds=5
)


def spec(model: str = "churn", **parts: Any) -> dict[str, Any]:
    """A body of `apply_spec`: pipelines `sm` (the champion) and `lr`."""
    wire = {
        "model": model,
        "task": "binary",
        "features": [{"name": "age", "kind": "numeric"}],
        "pipelines": {"sm": [], "lr": []},
        "champion": "sm",
        **parts,
    }
    return {"spec_hash": content_hash(wire), "spec": wire, "bins": BINS}


def version(spec_hash: str, pipeline: str, number: int, **parts: Any) -> dict[str, Any]:
    """A body of `model_updated`."""
    return {
        "version_id": short_hash(pipeline, str(number)),
        "model": "churn",
        "pipeline": pipeline,
        "spec_hash": spec_hash,
        "seeds": {},
        "offsets": [0, number],
        "state_hash": "s",
        "artifact": {"uri": "file:///a", "sha256": "0" * 64, "bytes": 1},
        "environment": {},
        "code": "c",
        "metrics": {},
        "created_ts": "2026-11-25T21:00:00.000Z",
        **parts,
    }


def gate(challenger_version: str, deployment_seq: int, **parts: Any) -> dict[str, Any]:
    """A body of `gate_evaluated` that proves its challenger."""
    return {
        "model": "churn", "deployment_seq": deployment_seq, "champion": "sm", "challenger": "lr",
        "version_id": challenger_version, "since": "2026-11-25T21:00:00.000Z", "j": 1, "k": 1,
        "n": 300, "metric": "accuracy", "mean": 0.2, "variance": 0.1, "r": 0.128, "alpha": 0.05,
        "lower": 0.1, "upper": 0.3, "least_gain": 0.03, "verdict": "promote", **parts,
    }  # fmt: skip


def command(name: str, action: str, body: dict[str, Any], **parts: Any) -> RegistryCommand:
    """A command with an actor and a reason."""
    given = {"command_id": name, "action": action, "actor": "ann", "reason": "because"}
    return RegistryCommand.model_validate({**given, "body": body, **parts})


@dataclass
class Book:
    """The log and its fold; `now` (ms) stands still unless it is moved."""

    now: int = START
    installed: bool = True
    state: RegistryState = field(default_factory=RegistryState)
    facts: list[Fact] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)
    count: int = 0
    timetable: Timetable = field(default_factory=Timetable)

    def __post_init__(self) -> None:
        if self.installed:
            body = INSTALLATION.model_dump(mode="json")
            self.write(Draft("installation", "installation", "ann", "init", body))

    def write(self, draft: Draft) -> Fact:
        """Append a fact."""
        fact, raw = seal(draft, self.state.last, self.now)
        self.facts.append(fact)
        self.records.append(raw)
        self.state.apply(fact)
        return fact

    def bring(self, given: RegistryCommand, waited: int = 0) -> Decision | None:
        """Decide on a command that was appended `waited` ms ago, and write what follows."""
        decision = decide(self.state, given, Moment(self.now, self.now - waited))
        if decision is not None:
            self.write(decision.draft)
        return decision

    def do(self, action: str, body: dict[str, Any], **parts: Any) -> Fact:
        """A new command; the fact that it became."""
        self.count += 1
        self.bring(command(f"c{self.count}", action, body, **parts))
        return self.facts[-1]

    def accepted(self, action: str, body: dict[str, Any], **parts: Any) -> Fact:
        """A new command that must be accepted."""
        fact = self.do(action, body, **parts)
        assert fact.outcome == "accepted", fact.body
        return fact

    def refused(self, action: str, body: dict[str, Any], **parts: Any) -> str:
        """A new command that must be refused; why."""
        fact = self.do(action, body, **parts)
        assert fact.outcome == "refused", fact.body
        return str(fact.body["why"])

    def run_schedules(self) -> list[Fact]:
        """Ask for what is due."""
        return [self.write(draft) for draft in self.timetable.due(self.state, self.now)]

    @property
    def serving(self) -> str | None:
        """The name of the version that serves churn."""
        model = self.state.models["churn"]
        if model.deployed is None:
            return None
        return model.versions[model.deployed.body.version_id].name.removeprefix("churn/")


def running(**spec_parts: Any) -> Book:
    """A book in which `sm/v1` serves and `lr/v1` is registered."""
    book = Book()
    body = spec(**spec_parts)
    book.accepted("apply_spec", body)
    book.accepted("model_updated", version(body["spec_hash"], "sm", 1))
    book.accepted("model_updated", version(body["spec_hash"], "lr", 1))
    return book


def newer(book: Book, pipeline: str, number: int, **parts: Any) -> Fact:
    """Register the next version of a pipeline, a child of the one before."""
    parent = short_hash(pipeline, str(number - 1))
    known = book.state.models["churn"].spec
    assert known is not None
    body = {**version(known.body.spec_hash, pipeline, number), "parent": parent, **parts}
    return book.accepted("model_updated", body)
