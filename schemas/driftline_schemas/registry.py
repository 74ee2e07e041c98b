"""Commands to the registry, its hash-chained facts, and what follows from them."""

from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import Field

from driftline_schemas.codec import canonical
from driftline_schemas.fields import Event, Hash, Id, Millis, Name, Sha256

Action = Literal[
    "apply_spec", "model_updated", "gate_evaluated", "promote", "rollback", "hold", "lift",
    "accept_drift", "retrain", "installation",
]  # fmt: skip


class RegistryCommand(Event):
    """A request; `command_id` makes it idempotent. A person's command lapses after `not_after`.

    `expected_seq` is the fact that the command replaces, as its sender knew it (the deployment's,
    for `apply_spec` the spec's; 0: none): if another one is in force by now, it is refused.
    """

    command_id: Id
    action: Action
    actor: str
    reason: str
    not_after: Millis | None = None
    expected_seq: int | None = None
    body: dict[str, Any]


class Fact(Event):
    """A decision. `hash` is sha256 over the fact without it; `previous_hash` chains them."""

    seq: int
    previous_hash: Sha256
    hash: Sha256
    command_id: str
    action: Action | Literal["schedule"]
    actor: str
    reason: str
    at: Millis
    outcome: Literal["accepted", "refused"]
    body: dict[str, Any]


class Artifact(Event):
    """Bytes of a model's state: a cache, checked before it is read."""

    uri: str
    sha256: Sha256
    bytes: int


class ModelUpdated(Event):
    """A learner made a version: a recipe, and the hash of the state that it gives. A pipeline that
    a newer specification leaves alone goes on under the recipe (`spec_hash`) that it began with;
    `spec_in_force` is then the newer one."""

    version_id: Hash
    model: Name
    pipeline: str
    parent: Hash | None = None
    lineage: str | None = None  # default: the parent's, else one of the pipeline's own
    spec_hash: Hash
    spec_in_force: Hash | None = None  # default: spec_hash
    seeds: dict[str, int]
    offsets: tuple[int, int]
    state_hash: str
    artifact: Artifact
    environment: dict[str, str]
    code: str
    metrics: dict[str, float]
    created_ts: Millis


class TestSetResult(Event):
    """How the version did on the fixed test set."""

    name: str
    sha256: Sha256
    value: float
    floor: float | None = None


class GateEvaluated(Event):
    """A gate verdict with the numbers that it was reached on."""

    model: Name
    deployment_seq: int
    champion: str
    challenger: str
    version_id: str
    since: Millis
    j: int
    k: int
    n: int
    blocks: int | None = None
    metric: str
    mean: float
    variance: float
    r: float
    alpha: float
    lower: float
    upper: float
    least_gain: float
    test_set: TestSetResult | None = None
    verdict: Literal["promote", "reject", "continue", "no_data"]


class LearningMetric(Event):
    """A figure of a learning pipeline, or a gate verdict that decides nothing yet. `reason`: why
    the pipeline is broken."""

    kind: Literal["metric", "gate"]
    model: Name
    pipeline: str
    at_offset: int
    labels: int
    metrics: dict[str, float]
    window: int | None = None
    coverage: float | None = None
    verdict: Literal["promote", "reject", "continue", "no_data"] | None = None
    reason: str | None = None


class Arm(Event):
    """A version that serves a share of the traffic."""

    version_id: str
    share: Annotated[float, Field(ge=0, le=1)]
    role: Literal["champion", "canary"]


class Deployment(Event):
    """What serves a model; readers keep the highest `seq`."""

    model: Name
    seq: int
    arms: list[Arm]
    previous: str | None = None
    reason: str
    actor: str


class ScorerStatus(Event):
    """What one scorer serves now."""

    scorer_id: str
    seq: int
    versions: dict[str, str]
    at: Millis
    signed_off: bool | None = None


class InstallationBody(Event):
    """The first fact: what every process of an installation must agree on."""

    label_horizon_ms: int
    partitions: dict[str, int]
    topic_ids: dict[str, str]
    pane_seconds: int | None = None
    pane_grace_seconds: int | None = None
    bins_lead_seconds: int | None = None
    repeat_window_ms: int | None = None


class ApplySpecBody(Event):
    """A specification, the bins made from its reference, and the files that its pipelines learn."""

    spec_hash: Hash
    spec: dict[str, Any]
    bins: dict[str, Any] | None = None
    files: dict[str, Artifact] | None = None


class Checkpoint(Event):
    """Where the state of a role for a model lies, and the journal offset that it stands for."""

    role: str
    model: Name
    offset: int
    artifact: Artifact


GENESIS = "0" * 64


def fact_hash(fact: dict[str, Any]) -> str:
    """sha256 over the canonical JSON of a fact (wire form) without its `hash`."""
    return sha256(
        canonical({key: value for key, value in fact.items() if key != "hash"})
    ).hexdigest()
