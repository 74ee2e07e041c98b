"""What the registry's log says, and whether it is a chain."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from tests.verifier.reading import Record

Json = dict[str, Any]
GENESIS = "0" * 64


class Refused(NamedTuple):
    """A command that changed nothing."""

    action: str
    why: str


@dataclass(slots=True)
class Facts:
    """The accepted facts about one model in their order, and the reasons of refused ones."""

    horizon_ms: int = 7 * 86_400_000
    versions: list[Json] = field(default_factory=list)  # bodies of model_updated
    gates: dict[str, Json] = field(default_factory=dict)  # bodies of gate_evaluated by command id
    refused: dict[str, Refused] = field(default_factory=dict)  # by command id
    broken: list[str] = field(default_factory=list)  # where the chain does not hold
    count: int = 0
    decided: set[str] = field(default_factory=set)  # ids of all commands, of any model


def read_facts(records: Iterable[Record], model: str) -> Facts:
    """All that concerns a model; the chain is checked over the facts of all models."""
    facts = Facts()
    for fact in _chained(records, facts):
        body, action = fact["body"], fact["action"]
        if action == "installation" and fact["outcome"] == "accepted":
            facts.horizon_ms = body["label_horizon_ms"]
        if body.get("model") != model:
            continue
        if fact["outcome"] == "refused":
            facts.refused[fact["command_id"]] = Refused(action, body.get("why", ""))
        elif action == "model_updated":
            facts.versions.append(body)
        elif action == "gate_evaluated":
            facts.gates[fact["command_id"]] = body
    return facts


def _chained(records: Iterable[Record], facts: Facts) -> Iterator[Json]:
    previous = GENESIS
    for place, record in enumerate(records):
        fact: Json = orjson.loads(record.value or b"null")
        if fact["seq"] != place:
            facts.broken.append(f"fact {fact['seq']} stands where {place} belongs")
        if fact["previous_hash"] != previous:
            facts.broken.append(f"fact {fact['seq']} does not follow the one before it")
        previous = fact["hash"]
        if _hash(fact) != previous:
            facts.broken.append(f"fact {fact['seq']} was changed after it was written")
        facts.count += 1
        facts.decided.add(fact["command_id"])
        yield fact


def _hash(fact: Json) -> str:
    rest = {name: value for name, value in fact.items() if name != "hash"}
    return sha256(orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)).hexdigest()
