"""What was found against what the journal gives, one kind of output after the other."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from hashlib import sha256
from math import isclose, isfinite
from typing import Any

import orjson

from tests.verifier.compare import Comparison
from tests.verifier.learning.contest import Evaluation, R
from tests.verifier.learning.facts import Facts
from tests.verifier.learning.lineages import Place, Version
from tests.verifier.learning.plans import Json
from tests.verifier.learning.replay import Replay
from tests.verifier.learning.sending import Sent
from tests.verifier.reading import Record
from tests.verifier.times import millis

RELATIVE, ABSOLUTE = 1e-9, 1e-12
COPIED = ("prediction", "model_version", "predicted_at", "features")  # by the joiner
NUMBERS = ("j", "k", "n", "blocks", "mean", "variance", "alpha", "lower", "upper", "least_gain")
OUTSIDE = "served outside"


def places(known: Facts) -> dict[str, Place]:
    """Lineage and offsets of each registered version, by its id."""
    return {body["version_id"]: _place(body) for body in known.versions}


def _place(body: Mapping[str, Any]) -> Place:
    return body.get("lineage") or body["pipeline"], body["offsets"][0], body["offsets"][1]


def reach(known: Facts) -> int:
    """The last offset of the journal that a fact of the learner speaks about."""
    return max((body["offsets"][1] for body in known.versions), default=-1)


def versions(replay: Replay, known: Facts) -> Comparison:
    """Each version by lineage and offsets: its id, its state hash and its time."""
    result = Comparison("versions", len(replay.roster.versions))
    for body in known.versions:
        version = replay.roster.versions.get(_place(body))
        if version is None:
            result.extra.append(f"{_named(body)} at offsets {body['offsets']}")
        elif difference := _differs(version, body):
            result.different.append(f"{_named(body)}: {difference}")
    found = set(places(known).values())
    for place, version in replay.roster.versions.items():
        if place not in found:
            _absent(result, f"{place[0]} at offsets {list(place[1:])}", version.last > reach(known))
    return result


def _named(body: Mapping[str, Any]) -> str:
    return f"{body.get('name', body['version_id'])} ({body.get('lineage')})"


def _differs(version: Version, body: Json) -> str:
    if version.state_hash != body["state_hash"]:
        wanted = version.state_hash[:16]
        return f"state hash {body['state_hash'][:16]}, the journal gives {wanted}"
    if version.time != millis(body["created_ts"]):
        return f"created_ts {body['created_ts']}, the journal gives {version.time}"
    recipe = {
        "model": body["model"], "code": body["code"], "environment": body["environment"],
        "offsets": [version.first, version.last], **version.recipe,
    }  # fmt: skip
    wanted = sha256(orjson.dumps(recipe, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    if body["version_id"] != wanted:
        return f"version_id {body['version_id']}, its recipe gives {wanted}"
    if not _is_told(version.recipe["origin"], body):
        return f"origin {body['origin']}, its recipe has {version.recipe['origin']}"
    return ""


def _is_told(origin: Json | None, body: Json) -> bool:
    """Older releases did not tell the origin, though they made the id of it."""
    told: Json | None = body.get("origin")
    made = {name: part for name, part in (origin or {}).items() if part is not None}
    return told is None or told == made


def _absent(result: Comparison, text: str, is_pending: bool) -> None:
    """What is behind all that was told so far is still to come, since the order is kept."""
    if is_pending:
        result.ambiguous += 1
    else:
        result.missing.append(text)


def version_figures(replay: Replay, known: Facts) -> Comparison:
    """The figures that a version was registered with."""
    result = Comparison("figures")
    for body in known.versions:
        version = replay.roster.versions.get(_place(body))
        if version is not None:
            _check_all(result, _named(body), body["metrics"], version.metrics)
    return result


def _check_all(
    result: Comparison, name: str, found: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
    """Every number by its name; one that is not finite is left out, or null."""
    for number in sorted(found.keys() | wanted.keys()):
        result.expected += 1
        told, due = found.get(number), wanted.get(number)
        if not _same(told, due):
            result.different.append(f"{name}: {number} {told}, the journal gives {due}")


def _same(found: Any, wanted: Any) -> bool:
    if found is None or wanted is None:
        return found is wanted or not isfinite(wanted if found is None else found)
    return isclose(found, wanted, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def _numbers(entry: Evaluation) -> Json:
    return {name: value for name, value in asdict(entry).items() if name in NUMBERS}


def gates(replay: Replay, known: Facts) -> Comparison:
    """Each promotion and rejection that reached the registry: at which record, with which numbers.

    Its command's id, by which the registry knows repeats, tells the record:
    sha256("gate_evaluated|model|challenger|version_id|verdict|offset")[:16].
    """
    ids = {place: version_id for version_id, place in places(known).items()}
    due = {_command_id(replay.model, sent, ids): sent for sent in replay.roster.sending.all}
    result = Comparison("gate verdicts", len(due))
    for command_id, body in known.gates.items():
        if (sent := due.get(command_id)) is None:
            result.extra.append(_told(body) + _nearest(replay, body))
        else:
            _compare_gate(result, sent, body)
    refused = {name for name, (action, _) in known.refused.items() if action == "gate_evaluated"}
    result.extra += [f"command {name}, which was refused" for name in sorted(refused - due.keys())]
    for command_id in due.keys() - known.gates.keys() - refused:
        entry = due[command_id].entry
        text = f"{entry.verdict} of {entry.challenger} at offset {entry.offset}, n {entry.n}"
        _absent(result, text, entry.offset > reach(known))
    return result


def _command_id(model: str, sent: Sent, ids: Mapping[Place, str]) -> str:
    entry, version_id = sent.entry, ids.get(sent.version.place, "not registered")
    parts = (model, entry.challenger, version_id, entry.verdict, str(entry.offset))
    return sha256("|".join(("gate_evaluated", *parts)).encode()).hexdigest()[:16]


def _told(body: Mapping[str, Any]) -> str:
    return f"{body['verdict']} of {body['challenger']} with n {body['n']}, mean {body['mean']:.6g}"


def _nearest(replay: Replay, body: Mapping[str, Any]) -> str:
    """What the journal gives of that challenger instead."""
    named = (body["challenger"], body["deployment_seq"])
    same = [e for e in replay.evaluations if (e.challenger, e.deployment_seq) == named]
    if not same:
        return "; the journal gives no evaluation of it"
    near = min(same, key=lambda entry: abs(entry.n - body["n"]))
    return (
        f"; the journal gives {near.verdict} at offset {near.offset} with n {near.n},"
        f" mean {near.mean:.6g}"
    )


def _compare_gate(result: Comparison, sent: Sent, body: Json) -> None:
    entry = sent.entry
    name = f"{_told(body)} at offset {entry.offset}"
    wanted = {
        **_numbers(entry), "since": max(entry.since, 0), "r": R,
        "deployment_seq": entry.deployment_seq,
    }  # fmt: skip
    found = {number: body.get(number) for number in wanted} | {"since": millis(body["since"])}
    for number, value in wanted.items():
        if not _same(found[number], value):
            result.different.append(f"{name}: {number} {found[number]}, the journal gives {value}")
    champion = entry.champion or OUTSIDE
    if body["champion"] != champion:
        result.different.append(f"{name}: champion {body['champion']}, not {champion}")


def gate_metrics(replay: Replay, metered: list[Json]) -> Comparison:
    """Each verdict that decides nothing, by its record."""
    due = {(entry.challenger, entry.offset): entry for entry in replay.undecided}
    result = Comparison("gate metrics", len(due))
    for document in metered:
        if document["kind"] != "gate":
            continue
        name = f"{document['pipeline']} at offset {document['at_offset']}"
        entry = due.get((document["pipeline"], document["at_offset"]))
        if entry is None:
            result.extra.append(name)
        elif document["verdict"] != entry.verdict:
            result.different.append(f"{name}: {document['verdict']}, not {entry.verdict}")
        else:
            _compare_document(result, name, document, _numbers(entry), entry.labels)
    _missing(result, due.keys(), metered, "gate")
    return result


def metrics(replay: Replay, metered: list[Json]) -> Comparison:
    """The figures of each lineage after every 25th label; nothing of a pipeline that is broken."""
    due = {(entry.lineage, entry.offset): entry for entry in replay.figures}
    result = Comparison("metrics", len(due))
    for document in metered:
        if document["kind"] != "metric" or document.get("reason") is not None:
            continue
        name = f"{document['pipeline']} at offset {document['at_offset']}"
        entry = due.get((document["pipeline"], document["at_offset"]))
        if entry is None:
            result.extra.append(name)
        else:
            _compare_document(result, name, document, entry.numbers, entry.labels)
    _missing(result, due.keys(), metered, "metric")
    return result


def _compare_document(
    result: Comparison, name: str, document: Json, numbers: Json, labels: int
) -> None:
    found = document["metrics"] | {"labels": document["labels"]}
    wanted = numbers | {"labels": labels}
    if "least_gain" not in found:  # it is the spec's, and in facts only
        wanted.pop("least_gain", None)
    for number in sorted(found.keys() | wanted.keys()):
        told, due = found.get(number), wanted.get(number)
        if not _same(told, due):
            result.different.append(f"{name}: {number} {told}, the journal gives {due}")
            return


def _missing(
    result: Comparison, due: Iterable[tuple[str, int]], metered: list[Json], kind: str
) -> None:
    found = {(entry["pipeline"], entry["at_offset"]) for entry in metered if entry["kind"] == kind}
    reached = max((entry["at_offset"] for entry in metered), default=-1)
    for name, offset in due:
        if (name, offset) not in found:
            _absent(result, f"{name} at offset {offset}", offset > reached)


def served(replay: Replay) -> Comparison:
    """Each recorded prediction of a version of ours against what that version says."""
    result = Comparison("served", replay.counted["predictions asked again"])
    result.different = replay.wrong_predictions
    return result


def copies(records: list[Record], predictions: Iterable[Record], model: str) -> Comparison:
    """Each joined record against the prediction that it names, if that is still there."""
    sent = {(record.partition, record.offset): record for record in predictions}
    result = Comparison("copies")
    for record in records:
        joined = orjson.loads(record.value or b"null")
        if joined.get("kind") != "joined" or joined["model"] != model:
            continue
        source = sent.get((joined["prediction_tp"][0], joined["prediction_tp"][1]))
        if source is None:
            continue
        result.expected += 1
        prediction = orjson.loads(source.value or b"null")
        other = [name for name in COPIED if prediction.get(name) != joined.get(name)]
        if source.timestamp != millis(joined["prediction_ts"]):
            other.append("prediction_ts")
        if other:
            result.different.append(f"offset {record.offset}: {', '.join(other)}")
    return result
