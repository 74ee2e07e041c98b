"""The page of topics and events: the table of topics, and the models of what crosses them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson

from docs.generate.markdown import anchor, code, document, link, prose, table
from docs.generate.parts import Parts
from driftline_schemas.commands import (
    AcceptDriftRequest,
    HoldBody,
    LiftBody,
    PromoteBody,
    RetrainRequest,
    RollbackBody,
)
from driftline_schemas.fields import Event
from driftline_schemas.json_schemas import event_name
from driftline_schemas.limits import MAX_DEPTH, MAX_FEATURES, MAX_RECORD_BYTES
from driftline_schemas.registry import (
    ApplySpecBody,
    GateEvaluated,
    InstallationBody,
    ModelUpdated,
)
from driftline_schemas.topics import DAY, FOREVER, ROLES, TOPICS, Topic

SCHEMAS: Final = "../../schemas/driftline_schemas/json"
GOLDEN: Final = "../../tests/contracts/golden"
GOLDEN_FOLDER: Final = Path(__file__).parents[2] / "tests" / "contracts" / "golden"
INTRODUCTION: Final = f"""\
What crosses Kafka: one JSON object per record, UTF-8, at most {MAX_RECORD_BYTES // 1024} KiB, with
at most {MAX_FEATURES:,} features, nested at most {MAX_DEPTH} deep. Topics are named
`<prefix>.<topic>.v1` (`DRIFTLINE_TOPIC_PREFIX`), consumer groups `<prefix>.<role>.v1`, of the roles
{", ".join(ROLES)}. Readers ignore fields that they do not know. A later release
adds optional fields, or a new version of an event; it never changes what a field means. Who writes
and who reads each topic is on the [architecture page](../architecture.md#services).

| type | |
|---|---|
| time | RFC 3339 with an offset; written in UTC with milliseconds: `2026-11-26T08:45:41.250Z` |
| id | 1 to 128 letters, digits, `.`, `_`, `:`, `-` |
| name | 1 to 128 characters, none of them a control character |
| hash, sha256 | 16 and 64 hexadecimal digits |
| object of x | any keys, each with an x |

A field that is not *needed* may be absent, which means its default, if there is one."""
BODIES: Final[Mapping[str, type[Event]]] = {
    "apply_spec": ApplySpecBody,
    "model_updated": ModelUpdated,
    "gate_evaluated": GateEvaluated,
    "promote": PromoteBody,
    "rollback": RollbackBody,
    "hold": HoldBody,
    "lift": LiftBody,
    "accept_drift": AcceptDriftRequest,
    "retrain": RetrainRequest,
    "installation": InstallationBody,
}
IN_COMMANDS: Final = """\
What `body` holds, by `action`. A fact says besides what came of it; a refused one says `why`."""


def page() -> str:
    """docs/reference/events.md"""
    parts = Parts({"ModelSpec": link("specification", "spec.md")})
    topics = [_topic(topic, parts) for topic in TOPICS]
    bodies = [
        f"### {action}\n\n{prose(kind.__doc__)}\n\n{parts.described(kind)}"
        for action, kind in BODIES.items()
    ]
    return document(
        "Topics and events",
        INTRODUCTION,
        "## Topics",
        table(
            ("topic", "records", "partitions", "key", "cleanup", "kept", "times"), map(_row, TOPICS)
        ),
        *topics,
        "## Bodies of commands and facts",
        IN_COMMANDS,
        *bodies,
        "## Parts",
        *parts.sections("###"),
    )


def _row(topic: Topic) -> Sequence[str]:
    return (
        link(code(topic.name), anchor(_heading(topic))),
        ", ".join(link(event_name(kind), anchor(event_name(kind))) for kind in topic.events),
        str(topic.partitions),
        topic.key or "none",
        topic.settings()["cleanup.policy"],
        _kept(topic),
        "broker's" if topic.append_time else "producer's",
    )


def _kept(topic: Topic) -> str:
    if topic.compacted:
        return "the newest of each key"
    return "for ever" if topic.retention_ms == FOREVER else f"{topic.retention_ms // DAY} days"


def _heading(topic: Topic) -> str:
    return f"Topic {topic.name}"


def _topic(topic: Topic, parts: Parts) -> str:
    return "\n\n".join([f"## {_heading(topic)}", *(_event(kind, parts) for kind in topic.events)])


def _event(kind: type[Event], parts: Parts) -> str:
    name = event_name(kind)
    files = " · ".join([link("JSON Schema", f"{SCHEMAS}/{name}.v1.json"),
                        link("example", f"{GOLDEN}/{_example(name)}")])  # fmt: skip
    return "\n\n".join([f"### {name}", prose(kind.__doc__), files, parts.described(kind)])


def _example(event: str) -> str:
    """The golden file that shows most of an event."""
    files = sorted(GOLDEN_FOLDER.glob(f"{event}.v1*.json"))
    return max(files, key=lambda path: len(orjson.loads(path.read_bytes()))).name
