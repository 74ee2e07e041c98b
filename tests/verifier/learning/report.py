"""Is what the learner made known exactly what the journal gives?"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import orjson

from tests.verifier.compare import SHOWN, Comparison
from tests.verifier.learning import comparing
from tests.verifier.learning.facts import Facts, read_facts
from tests.verifier.learning.plans import Files, Json
from tests.verifier.learning.replay import Replay
from tests.verifier.learning.roster import Roster
from tests.verifier.reading import Record, read_topic, topic_name


@dataclass(slots=True)
class LearningReport:
    """The verdict: `exact` when all that was found is as recomputed, nothing is left to come and no
    rule was broken.

    `ambiguous` in a comparison counts what is to come: what the journal demands, behind all that
    was told so far. `exact_so_far` is for a run that is not over.
    """

    model: str
    comparisons: list[Comparison]
    violations: list[str] = field(default_factory=list)
    figures: dict[str, float | None] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        return self.exact_so_far and not self.to_come

    @property
    def exact_so_far(self) -> bool:
        return not self.violations and all(entry.exact for entry in self.comparisons)

    @property
    def to_come(self) -> int:
        return sum(entry.ambiguous for entry in self.comparisons)

    def _word(self) -> str:
        if self.exact_so_far and self.to_come:
            return f"NOT COMPLETE, exact so far, {self.to_come:,} to come"
        return "exact" if self.exact else "NOT EXACT"

    def __str__(self) -> str:
        lines = [f"{self.model}: {self._word()}"]
        lines += [line for entry in self.comparisons for line in entry.lines()]
        lines += [f"{name}: {_shown(value)}" for name, value in self.figures.items()]
        lines += [f"happened: {entry}" for entry in self.happened]
        lines.append(f"broken rules: {len(self.violations):,}")
        lines += [f"    {entry}" for entry in self.violations[:SHOWN]]
        return "\n".join(lines + [f"note: {entry}" for entry in self.notes])

    def json(self) -> bytes:
        """The whole report as JSON."""
        return orjson.dumps({"exact": self.exact, "to_come": self.to_come, **asdict(self)})


def verify_learning(brokers: str, prefix: str, model: str, files: str | Path) -> LearningReport:
    """Reads the topics of a prefix and recomputes one model; `files` is the artifact store."""

    def read(name: str) -> list[Record]:
        return read_topic(brokers, topic_name(prefix, name), committed=True)

    # What follows from the journal is read first: its cause is then surely there.
    metrics, facts, commands = read("learning-metrics"), read("registry"), read("registry-commands")
    return verify_records(
        model, read("journal"), facts, metrics, folder_of(files),
        predictions=read("predictions"), commands=commands,
    )  # fmt: skip


def folder_of(root: str | Path) -> Files:
    """The bytes of an artifact store that is a folder."""

    def read(sha256: str) -> bytes:
        return (Path(root) / sha256[:2] / sha256).read_bytes()

    return read


def verify_records(
    model: str,
    journal: Iterable[Record],
    facts: Iterable[Record],
    metrics: Iterable[Record],
    files: Files,
    *,
    predictions: Iterable[Record] | None = None,
    commands: Iterable[Record] = (),
) -> LearningReport:
    """The same on records already read; the journal may have several partitions and models.

    `commands` only tell, in the figures, what the registry has not decided yet.
    """
    known = read_facts(facts, model)
    own = _partition_of(journal, model)
    roster = Roster(known.horizon_ms, files, comparing.places(known).get)
    replay = Replay(model, roster)
    replay.run(own)
    metered = _metered(metrics, model)
    comparisons = [
        comparing.versions(replay, known),
        comparing.version_figures(replay, known),
        comparing.gates(replay, known),
        comparing.gate_metrics(replay, metered),
        comparing.metrics(replay, metered),
        comparing.served(replay),
    ]
    if predictions is not None:
        comparisons.append(comparing.copies(own, predictions, model))
    return LearningReport(
        model,
        comparisons,
        violations=known.broken + _refusals(known),
        figures=_figures(replay, known) | _undecided(commands, known, model),
        happened=[f"offset {offset}: {what}" for offset, what in roster.happened],
        notes=roster.notes,
    )


def _partition_of(journal: Iterable[Record], model: str) -> list[Record]:
    """The partition that holds the model, in order; ValueError where it is not just one."""
    records = sorted(journal, key=lambda record: (record.partition, record.offset))
    own = {
        record.partition
        for record in records
        if orjson.loads(record.value or b"{}").get("model") == model
    }
    if len(own) != 1:
        raise ValueError(f"{model} is in {len(own)} partitions of the journal")
    return [record for record in records if record.partition in own]


def _metered(metrics: Iterable[Record], model: str) -> list[Json]:
    documents = [orjson.loads(record.value or b"null") for record in metrics]
    return [document for document in documents if document["model"] == model]


def _refusals(known: Facts) -> list[str]:
    """Versions that came twice with different states."""
    return [f"{action}: {why}" for action, why in known.refused.values() if "another state" in why]


def _undecided(commands: Iterable[Record], known: Facts, model: str) -> dict[str, float | None]:
    """How many commands about the model wait for the registry."""
    documents = [orjson.loads(record.value or b"{}") for record in commands]
    ids = {d["command_id"] for d in documents if d.get("body", {}).get("model") == model}
    waiting = ids - known.decided
    return {"commands that are not decided": len(waiting)} if waiting else {}


def _figures(replay: Replay, known: Facts) -> dict[str, float | None]:
    metric = "MAE" if replay.roster.numeric else "accuracy"
    served = replay.served
    figures: dict[str, float | None] = {
        "facts": known.count,
        "labels": served.n,
        f"served {metric}": _finite(served.mean),
    }
    for name, tally in replay.roster.as_of.items():
        figures[f"{name} as of {metric}"] = _finite(tally.mean)
    figures.update(sorted(replay.counted.items()))
    refused = [action for action, _ in known.refused.values()]
    for action in sorted(set(refused)):
        figures[f"{action} refused"] = refused.count(action)
    return figures


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else f"{value}"
