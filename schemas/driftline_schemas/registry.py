"""Commands to the registry, its hash-chained facts, and what follows from them."""

from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import Field

from driftline_schemas.codec import canonical, content_hash
from driftline_schemas.fields import Event, Finite, Hash, Id, Millis, Name, Sha256

Action = Literal[
    "apply_spec", "model_updated", "gate_evaluated", "promote", "rollback", "hold", "lift",
    "accept_drift", "retrain", "installation",
]  # fmt: skip
Count = Annotated[int, Field(ge=0, le=2**53)]  # what every reader of JSON keeps exactly


class RegistryCommand(Event):
    """A request; `command_id` makes it idempotent. A person's command lapses after `not_after`.

    `expected_seq` is the fact that the command replaces, as its sender knew it (the deployment's,
    for `apply_spec` the spec's; 0: none): if another one is in force by now, it is refused.
    """

    command_id: Id
    """Whoever sends it again under the same one gets the same fact."""
    action: Action
    """What is asked for."""
    actor: str
    """Who asks."""
    reason: str
    """Why; kept for ever."""
    not_after: Millis | None = None
    """Refused if it is decided later."""
    expected_seq: Count | None = None
    """Refused unless this fact is still in force."""
    body: dict[str, Any]
    """What the action needs."""


class Fact(Event):
    """A decision. `hash` is sha256 over the fact without it; `previous_hash` chains them."""

    seq: int
    """Counts the facts, from 0."""
    previous_hash: Sha256
    """`hash` of the fact before; 64 zeros for the first."""
    hash: Sha256
    """Of this one."""
    command_id: str
    """Of the command that it decides."""
    action: Action | Literal["schedule"]
    """What was asked for."""
    actor: str
    """Who asked."""
    reason: str
    """Why."""
    at: Millis
    """When it was decided."""
    outcome: Literal["accepted", "refused"]
    """What was decided; `body.why` says why one was refused."""
    body: dict[str, Any]
    """The command's, and what came of it."""
    command_hash: Hash | None = None
    """Of what the command asked for: another one may not come under its `command_id`."""


class Artifact(Event):
    """Bytes of a model's state: a cache, checked before it is read."""

    uri: str
    """Where they lie."""
    sha256: Sha256
    """Of the bytes."""
    bytes: Count
    """How many there are."""


class TestSetResult(Event):
    """How a version did on the fixed test set: `value` is its accuracy, `sha256` of the file."""

    name: str
    """The file."""
    sha256: Sha256
    """Of the file."""
    value: Finite
    """Accuracy."""
    floor: Finite | None = None
    """The least that is wanted."""


class Origin(Event):
    """What a version knew before its first record of the journal, as its recipe has it: a file, a
    range of the journal, or the version that it is a fork of."""

    file: Sha256 | None = None
    """The file's bytes."""
    label: str | None = None
    """The file's column that holds the truth."""
    journal: tuple[int, int] | None = None
    """First and last journal offset."""
    passes: int | None = None
    """How often over the rows."""
    seed: int | None = None
    """Of the order of the rows; without one, as they lie."""
    fact: int | None = None
    """The fact that asked for it, a retrain's or a schedule's. Without one: the specification."""
    version: Hash | None = None
    """The version that it is a fork of."""


class ModelUpdated(Event):
    """A learner made a version: a recipe, and the hash of the state that it gives. A pipeline that
    a newer specification leaves alone goes on under the recipe (`spec_hash`) that it began with;
    `spec_in_force` is then the newer one."""

    version_id: Hash
    """Hash of the recipe."""
    model: Name
    """The model."""
    pipeline: str
    """What was trained."""
    parent: Hash | None = None
    """The version before."""
    lineage: str | None = None
    """Default: the parent's, else one of the pipeline's own."""
    spec_hash: Hash
    """The specification under which the pipeline began."""
    spec_in_force: Hash | None = None
    """The specification in force. Default: `spec_hash`."""
    seeds: dict[str, int]
    """Of everything that is random, by place."""
    origin: Origin | None = None
    """What it knew before those offsets. Without one: nothing."""
    offsets: tuple[int, int]
    """First and last journal offset that it learned; the last is first - 1 for none."""
    state_hash: str
    """Of the state that the recipe gives."""
    artifact: Artifact
    """Where its bytes lie."""
    environment: dict[str, str]
    """What it was made with: Python, River, numpy, processor."""
    code: str
    """Version of Driftline."""
    metrics: dict[str, Finite]
    """Its figures at that point."""
    test_set: TestSetResult | None = None
    """How it did on the fixed test set."""
    created_ts: Millis
    """It exists for predictions asked later than this."""


class GateEvaluated(Event):
    """A gate verdict with the numbers that it was reached on."""

    model: Name
    """The model."""
    deployment_seq: int
    """The deployment against which it was judged; refused if another is in force."""
    champion: str
    """Lineage that serves."""
    challenger: str
    """Lineage that is judged."""
    version_id: str
    """The version that would be deployed."""
    since: Millis
    """Predictions made after this count."""
    j: int
    """Number of this test."""
    k: int
    """Challengers that share alpha."""
    n: int
    """Pairs that count."""
    blocks: int | None = None
    """Blocks of them, where the specification has `block`."""
    metric: str
    """What the gain is a difference of."""
    mean: Finite
    """Gain: the champion's error less the challenger's."""
    variance: Finite
    """Of the gains."""
    r: Finite
    """Scale of the mixture: the bounds are tightest near n = 500."""
    alpha: Finite
    """What this test may spend."""
    lower: Finite
    """The gain is above this, with confidence 1 - alpha."""
    upper: Finite
    """The gain is below this, likewise."""
    least_gain: Finite
    """What the specification asks for."""
    test_set: TestSetResult | None = None
    """How the version did on the fixed test set."""
    verdict: Literal["promote", "reject", "continue", "no_data"]
    """What follows."""


class LearningMetric(Event):
    """A figure of a learning pipeline, or a gate verdict that decides nothing yet. `reason`: why
    the pipeline is broken."""

    kind: Literal["metric", "gate"]
    """A figure, or a verdict that decides nothing."""
    model: Name
    """The model."""
    pipeline: str
    """The lineage."""
    at_offset: int
    """Journal offset of the last record."""
    labels: int
    """Labels of the model so far."""
    metrics: dict[str, Finite]
    """Figures by name."""
    window: int | None = None
    """Labels that the figures in `..._last_...` are of."""
    coverage: Finite | None = None
    """Labelled / predicted."""
    verdict: Literal["promote", "reject", "continue", "no_data"] | None = None
    """Of the gate."""
    reason: str | None = None
    """Why the pipeline is broken."""


class Arm(Event):
    """A version that serves a share of the traffic."""

    version_id: str
    """The version."""
    share: Annotated[Finite, Field(ge=0, le=1)]
    """Of the traffic."""
    role: Literal["champion", "canary"]
    """Why it serves."""


class Deployment(Event):
    """What serves a model; readers keep the highest `seq`."""

    model: Name
    """The model."""
    seq: int
    """Counts the deployments of a model."""
    arms: list[Arm]
    """What serves."""
    previous: str | None = None
    """The version that served before."""
    reason: str
    """Why."""
    actor: str
    """Who."""


class ScorerStatus(Event):
    """What one scorer serves now."""

    scorer_id: str
    """The scorer's replica name."""
    seq: int
    """A higher one is newer, also after a restart."""
    versions: dict[str, str]
    """What it serves: version by model."""
    seqs: dict[str, int] | None = None
    """The newest deployment of each model that it has put into effect, or could not: by `seq`."""
    at: Millis
    """When."""
    signed_off: bool | None = None
    """It has stopped in good order."""


class InstallationBody(Event):
    """The first fact: what every process of an installation must agree on."""

    label_horizon_ms: int
    """A later label is not joined."""
    partitions: dict[str, int]
    """Number of partitions, by topic."""
    topic_ids: dict[str, str]
    """Kafka's id of each topic: one that was made anew has another."""
    pane_seconds: int | None = None
    """Length of a pane."""
    pane_grace_seconds: int | None = None
    """How long it stays open after its end."""
    bins_lead_seconds: int | None = None
    """From a specification's fact until its bins count."""
    repeat_window_ms: int | None = None
    """A second label within it is a repeat or a correction."""


class ApplySpecBody(Event):
    """A specification, the bins made from its reference, and the files that its pipelines learn."""

    spec_hash: Hash
    """Of the specification."""
    spec: dict[str, Any]
    """The specification."""
    bins: dict[str, Any] | None = None
    """What a `bins` control record carries."""
    files: dict[str, Artifact] | None = None
    """By name as the specification has it."""


class Checkpoint(Event):
    """Where the state of a role for a model lies, and the journal offset that it stands for."""

    role: str
    """Whose state it is."""
    model: Name
    """The model."""
    offset: int
    """The state knows the journal up to here."""
    artifact: Artifact
    """Where its bytes lie."""


GENESIS = "0" * 64


def command_hash(command: RegistryCommand) -> str:
    """Of what is asked for, whoever asks and why. TypeError for a body that is no JSON."""
    return content_hash([command.action, command.body, command.expected_seq])


def fact_hash(fact: dict[str, Any]) -> str:
    """sha256 over the canonical JSON of a fact (wire form) without its `hash`."""
    return sha256(
        canonical({key: value for key, value in fact.items() if key != "hash"})
    ).hexdigest()
