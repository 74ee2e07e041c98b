"""A story for the page, as the API reads it: facts, verdicts, alerts, gates, what scorers say.

Numbers are drawn by a seeded generator; drift is judged by the real test on real bins, and facts
are decided by the real registry, so that the page shows what an installation would show.
"""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import numpy as np

from driftline.api.folds import Folds
from driftline.core.drift.budget import alpha
from driftline.core.drift.two_sample import compare
from driftline.core.monitoring.judgement import RANKED
from driftline.core.reference import bins_of, reference_bins
from driftline_schemas.alerts import Alert, alert_id, fingerprint
from driftline_schemas.codec import content_hash, encode, short_hash
from driftline_schemas.control import BinsBody
from driftline_schemas.registry import LearningMetric, ScorerStatus
from driftline_schemas.spec import ModelSpec
from driftline_schemas.topics import (
    ALERTS,
    LEARNING_METRICS,
    REGISTRY,
    SCORER_STATUS,
    VERDICTS,
    Topic,
)
from driftline_schemas.verdicts import Result, Verdict, Window, verdict_id
from tests.unit.core.registry.book import START, Book

MINUTE: Final = 60_000
EVIL: Final = "<img src=x onerror=alert(1)>"
SEGMENTS: Final = (
    "region-centroid-row", "hue-mean", "saturation-mean", "value-mean", "intensity-mean",
    "rawred-mean", "rawblue-mean", "rawgreen-mean", "exred-mean", "exblue-mean", "exgreen-mean",
    "vedge-mean", "vedge-sd", "hedge-mean", "hedge-sd", "short-line-density",
)  # fmt: skip
SWAPPED: Final = SEGMENTS[1:7]
FAULT, TAKEOVER, REPAIR, BACK, END = 120, 160, 200, 245, 360  # minutes


@dataclass
class Story:
    """A registry, the folds that read it, and a clock that is moved along."""

    book: Book = field(default_factory=Book)
    folds: Folds = field(default_factory=Folds)
    chance: Random = field(default_factory=lambda: Random(7))
    fed: int = 0
    taken: list[tuple[Topic, bytes]] = field(default_factory=list)

    def take(self, topic: Topic, raw: bytes) -> None:
        """The API reads a record."""
        self.folds.take(topic, raw)
        self.taken.append((topic, raw))

    def copied(self) -> "Story":
        """The same once more, for a test that goes on with it."""
        copy = Story(deepcopy(self.book), Folds(not_ready=None), fed=self.fed)
        for topic, raw in self.taken:
            copy.take(topic, raw)
        return copy

    def at(self, minute: float) -> int:
        """The clock so many minutes into the story."""
        self.book.now = START + round(minute * MINUTE)
        return self.book.now

    def decide(self, action: str, body: dict[str, Any], minute: float, **parts: Any) -> None:
        """The registry accepts a command."""
        self.at(minute)
        self.book.accepted(action, body, **parts)
        for raw in self.book.records[self.fed :]:
            self.take(REGISTRY, raw)
        self.fed = len(self.book.records)

    def apply(self, wire: dict[str, Any], bins: BinsBody | None, minute: float = -10) -> ModelSpec:
        """A specification comes into force."""
        body = {"spec_hash": content_hash(wire), "spec": wire}
        if bins is not None:
            body["bins"] = bins.model_dump(mode="json", exclude_none=True)
        self.decide("apply_spec", body, minute, actor="cli:ann", reason="watch it")
        return ModelSpec.model_validate(wire)

    def version(
        self, spec: ModelSpec, pipeline: str, number: int, minute: float, **parts: Any
    ) -> str:
        """The learner registers a version; its id."""
        id_ = short_hash(spec.model, pipeline, str(number))
        wire = self.folds.registry.models[spec.model].spec
        assert wire is not None
        body = {
            "version_id": id_, "model": spec.model, "pipeline": pipeline,
            "spec_hash": wire.body.spec_hash, "seeds": {"model": 7},
            "offsets": [0, 50 * number], "state_hash": short_hash(id_, "state"),
            "artifact": {"uri": f"file:///artifacts/{id_}", "sha256": "5c" * 32, "bytes": 18_204},
            "environment": {"python": "3.11.7", "river": "0.26.1"}, "code": "driftline 0.1.0",
            "metrics": {"as_of_accuracy": 0.9, "as_of_accuracy_last_200": 0.93},
            "created_ts": self.at(minute), **parts,
        }  # fmt: skip
        if number > 1:
            body["parent"] = short_hash(spec.model, pipeline, str(number - 1))
        self.decide("model_updated", body, minute, actor="learner", reason="50 labels more")
        return id_

    def scored(
        self, spec: ModelSpec, target: int | str, start: int, end: int, n: int,
        value: float | None, coverage: float, version: str, revision: int = 1,
    ) -> None:  # fmt: skip
        """A window's performance."""
        metric = "mean_absolute_error" if spec.task == "regression" else "accuracy"
        labelled = round(n * coverage)
        reason = f"{labelled} of {n} predictions are labelled"
        result = Result(
            scope=metric, statistic=metric, value=value,
            outcome="ok" if value is not None else "not_enough_data",
            reason=reason if value is not None else "no labels have come yet",
        )  # fmt: skip
        self._verdict(spec, "performance", target, (start, end, n), [result], version,
                      coverage=coverage, revision=revision)  # fmt: skip

    def judged(
        self, spec: ModelSpec, target: int, span: tuple[int, int, int], results: list[Result],
        version: str,
    ) -> None:  # fmt: skip
        """A window's drift."""
        self._verdict(spec, "data", target, span, results, version)

    def _verdict(
        self, spec: ModelSpec, check: str, target: int | str, span: tuple[int, int, int],
        results: list[Result], version: str, **parts: Any,
    ) -> None:  # fmt: skip
        start, end, n = span
        outcome = min((r.outcome for r in results), key=RANKED.index)
        verdict = Verdict(
            verdict_id=verdict_id(spec.model, check, target, start, end), model=spec.model,
            model_version=version, check=check, target=target, outcome=outcome,
            window=Window(start=start, end=end, n=n), results=results, at=end,
            **{"revision": 1, **parts},
        )  # fmt: skip
        self.take(VERDICTS, encode(verdict))

    def alert(self, model: str, check: Any, minute: float, revisions: Iterable[Any]) -> str:
        """An alert with all its revisions: (minute, status, summary, rest)."""
        opened_by = ("driftline.journal.v1", 3, round(minute * 40) + 1_204)
        about = fingerprint(model, check, "model")
        for number, (when, status, summary, rest) in enumerate(revisions, 1):
            given = {
                "alert_id": alert_id(about, opened_by), "fingerprint": about, "status": status,
                "revision": number, "at": self.at(when), "model": model,
                "severity": "critical" if check == "error" else "error",
                "model_version": short_hash(model, "sm", "1"), "check": check, "scope": "model",
                "opened_at": START + round(minute * MINUTE), "opened_by": opened_by, "n": 212,
                "summary": summary, "replay": f"driftline alerts tail --model '{model}' --json",
                **rest,
            }  # fmt: skip
            self.take(ALERTS, encode(Alert.model_validate(given)))
        return alert_id(about, opened_by)

    def gate(
        self, model: str, name: str, n: int, mean: float, verdict: Any, test: int = 1
    ) -> tuple[float, float]:
        """The learner looked at a challenger; the bounds."""
        half = 0.9 / max(n, 1) ** 0.5
        numbers = {"n": float(n), "mean": mean, "variance": 0.2, "j": float(test), "k": 2.0}
        if verdict != "no_data":
            numbers |= {"lower": mean - half, "upper": mean + half, "alpha": 0.01}
        metric = LearningMetric(
            kind="gate", model=model, pipeline=name, at_offset=test * 1_000_000 + n, labels=n,
            metrics=numbers, verdict=verdict,
        )  # fmt: skip
        self.take(LEARNING_METRICS, encode(metric))
        return mean - half, mean + half

    def serves(self, scorer: str, **versions: str) -> None:
        """A scorer says what it serves."""
        status = ScorerStatus(scorer_id=scorer, seq=1, versions=versions, at=self.book.now)
        self.take(SCORER_STATUS, encode(status))


def draw_segment(chance: Random, name: str, faulty: bool) -> float:
    """A feature's value; a fault gives each of the swapped ones another's."""
    names = SWAPPED[1:] + SWAPPED[:1]
    if faulty and name in SWAPPED:
        name = names[SWAPPED.index(name)]
    place = SEGMENTS.index(name) if name in SEGMENTS else 3
    return chance.gauss(place, 1 + place / 6)


def bins_for(wire: dict[str, Any], chance: Random, rows: int = 400) -> BinsBody:
    """Real bins of drawn rows."""
    names = [f["name"] for f in wire["features"]]
    spec = ModelSpec.model_validate({**wire, "reference": {"file": "reference.csv"}})
    drawn = [{n: f"{draw_segment(chance, n, False):.4f}" for n in names} for _ in range(rows)]
    return reference_bins(spec, drawn, effective_from=START)


def results_of(
    spec: ModelSpec, bins: BinsBody, n: int, target: int, chance: Random, faulty: bool
) -> list[Result]:
    """What the real test says of drawn predictions."""
    level = alpha(spec.alarm_budget, target, len(spec.features))
    results = []
    for name, described in bins.features.items():
        rule = bins_of(described)
        counts = rule.count([draw_segment(chance, name, faulty) for _ in range(n)])
        found = compare(rule, np.array(described.reference, np.int64), counts, level)
        results.append(
            Result(scope=name, statistic=found.statistic, value=found.value,
                   p_value=found.p_value, effect=found.effect, threshold=level,
                   outcome=found.outcome, reason=found.reason)
        )  # fmt: skip
    results.append(
        Result(scope="prediction", statistic="chi_square", threshold=level,
               outcome="cannot_evaluate", reason="the reference holds no predictions")
    )  # fmt: skip
    return results


def wire_of(model: str, features: Sequence[str], **parts: Any) -> dict[str, Any]:
    """A specification as people write it."""
    return {
        "model": model, "task": "multiclass",
        "features": [{"name": name, "kind": "numeric"} for name in features], **parts,
    }  # fmt: skip
