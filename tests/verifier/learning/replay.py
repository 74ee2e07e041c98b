"""The journal of one model learned, judged and scored again, record by record."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.verifier.learning.contest import Contest, Evaluation, Pair
from tests.verifier.learning.lineages import Tally, Version, predicted
from tests.verifier.learning.plans import Json
from tests.verifier.learning.retraining import HOUR_MS, RecordedRow
from tests.verifier.learning.roster import Roster
from tests.verifier.learning.rows import is_learnable, seen
from tests.verifier.reading import Record
from tests.verifier.times import millis


@dataclass(frozen=True, slots=True)
class Example:
    """A joined record as it is learned; all times in ms."""

    offset: int
    version: str
    recorded: Json
    prediction: Any
    label: Any
    asked_at: int
    made: int
    labelled: int

    @classmethod
    def of(cls, offset: int, joined: Json) -> "Example":
        """What matters of the record at an offset."""
        made = millis(joined["prediction_ts"])
        return cls(
            offset,
            joined["model_version"],
            joined["features"],
            joined["prediction"],
            joined["label"],
            min(millis(joined["predicted_at"]), made),
            made,
            millis(joined["label_ts"]),
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of a lineage at a point of the journal."""

    lineage: str
    offset: int
    labels: int
    numbers: dict[str, float]


@dataclass(slots=True)
class Replay:
    """What should have come of the journal."""

    model: str
    roster: Roster
    outputs: list[tuple[Any, Any]] = field(default_factory=list)  # served, and true
    evaluations: list[Evaluation] = field(default_factory=list)
    undecided: list[Evaluation] = field(default_factory=list)
    figures: list[Figures] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    wrong_predictions: list[str] = field(default_factory=list)
    _labels: set[tuple[int, int]] = field(default_factory=set)

    @property
    def served(self) -> Tally:
        """How good what was served was: every label, also those before the first spec."""
        tally, numeric = Tally(), self.roster.numeric
        for prediction, label in self.outputs:
            if isinstance(prediction, str) != numeric and isinstance(label, str) != numeric:
                tally.add(prediction, label, numeric=numeric)
        return tally

    def run(self, journal: Iterable[Record]) -> None:
        """Every record of the model's partition, in order: those of others tell the time."""
        roster = self.roster
        for record in journal:
            roster.time = max(roster.time, record.timestamp)
            document: Json = orjson.loads(record.value or b"null")
            if document.get("model") == self.model:
                self._take(record.offset, document)
            roster.train(record.offset)

    def _take(self, offset: int, document: Json) -> None:
        if document["kind"] not in ("joined", "control"):
            return
        self.roster.hours.setdefault(self.roster.time // HOUR_MS, offset)
        if document["kind"] == "joined":
            self._joined(offset, document)
        else:
            self.roster.control(offset, document)

    def _joined(self, offset: int, document: Json) -> None:
        identity = (document["label_tp"][0], document["label_tp"][1])
        roster, truth = self.roster, document["label"]
        roster.recorded.append(RecordedRow(offset, identity, document["features"], truth))
        if identity in self._labels:
            self.counted["joined records that were repeated"] += 1
            return
        self._labels.add(identity)
        self.outputs.append((document["prediction"], truth))
        are_numbers = {not isinstance(output, str) for output in self.outputs[-1]}
        is_idle = not (roster.lineages or roster.broken)
        is_judged = are_numbers == {roster.numeric} and is_learnable(truth)
        if roster.contest is None or is_idle or not is_judged:
            self.counted["joined records that are not judged"] += 1
            return
        self._learn(Example.of(offset, document), roster.contest)

    def _learn(self, example: Example, contest: Contest) -> None:
        roster = self.roster
        self._ask_again(example)
        error = roster.errors.served(example.prediction, example.label)
        if error is not None:
            self._watch(example, error, contest)
        counts = error is not None and self._counts(example, contest)
        for lineage in list(roster.lineages.values()):
            features = seen(example.recorded, lineage.kinds)
            score = lineage.score(features, example.label, example.asked_at)
            if score is not None and error is not None and counts:
                own = roster.errors.of(score.prediction, example.label) or 0.0
                pair = Pair(example.made, score.version.number, error - own)
                contest.add(lineage.name, pair)
            roster.keep(lineage.learn(example.offset, features, example.label, example.labelled))
        self._judge(example, contest)

    def _counts(self, example: Example, contest: Contest) -> bool:
        """Whether what is deployed made the prediction."""
        if contest.champion is None:
            return not self.roster.spec.get("champion")
        return self.roster.lineage_of.get(example.version) == contest.champion

    def _watch(self, example: Example, error: float, contest: Contest) -> None:
        happened = self.roster.incident.step(error, example.made, example.labelled)
        if happened:
            self.roster.happened.append((example.offset, f"incident {happened}"))
        if happened == "opened":
            contest.restart(example.labelled)

    def _judge(self, example: Example, contest: Contest) -> None:
        roster = self.roster
        seq = roster.deployed["deployment_seq"] if roster.deployed else 0
        found = contest.label(example.offset, example.labelled, seq)
        self.evaluations += found
        # Of several that are proven at once the best is promoted: the others would be stale.
        proven = [entry for entry in found if entry.verdict == "promote" and not roster.is_outside]
        best = max(proven, key=lambda entry: entry.mean, default=None)
        for entry in found:
            version = self._to_deploy(entry)
            if version is not None and (entry is best or entry.verdict == "reject"):
                roster.sending.decided(entry, version, contest.labels)
            else:
                self.undecided.append(entry)
        if contest.is_evaluated:
            self.figures += [
                Figures(lineage.name, example.offset, contest.labels, lineage.all_figures())
                for lineage in roster.lineages.values()
            ]

    def _to_deploy(self, entry: Evaluation) -> Version | None:
        """The proven version; if it is kept no more, the newest before it that is."""
        kept = self.roster.lineages[entry.challenger].kept
        if entry.number is None:
            return kept[-1] if entry.verdict == "reject" else None
        older = [version for version in kept if version.number <= entry.number]
        return older[-1] if older else kept[0]

    def _ask_again(self, example: Example) -> None:
        """What one of our versions served is what it says when it is asked again."""
        named = self.roster.named(example.version)
        if named is None:
            self.counted["predictions by versions that are not known"] += 1
            return
        self.counted["predictions asked again"] += 1
        features = seen(example.recorded, named.kinds)
        said = predicted(named.model, features, numeric=self.roster.numeric)
        if said != example.prediction:
            self.wrong_predictions.append(
                f"offset {example.offset}: {example.prediction!r} was served by"
                f" {example.version}, which says {said!r}"
            )
