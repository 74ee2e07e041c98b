"""A story for the page: a fault, incidents, a challenger that takes over, the champion's return.

Numbers are drawn by a seeded generator; drift is judged by the real test on real bins, and facts
are decided by the real registry, so that the page shows what an installation would show.
"""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any, Final

import numpy as np

from driftline.api.folds import Folds
from driftline.core.drift.budget import alpha
from driftline.core.drift.two_sample import compare
from driftline.core.monitoring.judgement import RANKED
from driftline.core.reference import bins_of, reference_bins
from driftline_schemas.alerts import Alert, Cause, alert_id, fingerprint
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
            kind="gate", model=model, pipeline=name, at_offset=n, labels=n, metrics=numbers,
            verdict=verdict,
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


def fault_and_return(story: Story, model: str = "segments") -> None:
    """The whole story of one model."""
    wire = wire_of(
        model, SEGMENTS, pipelines={"sm": [], "hat": [], "lr": []}, champion="sm", follow=True,
        floors=[{"metric": "accuracy", "below": 0.75, "over_labels": 200}],
    )  # fmt: skip
    bins = bins_for(wire, story.chance)
    spec = story.apply(wire, bins)
    sm = story.version(spec, "sm", 1, -9, metrics={"as_of_accuracy": 0.94})
    for number in (1, 2, 3, 4):
        story.version(spec, "hat", number, -9 + 40 * number)
    story.version(spec, "lr", 1, 30)
    _windows(story, spec, bins)
    _incidents(story, model)
    _contest(story, spec)
    hat = story.version(spec, "hat", 5, 190)
    story.decide("rollback", {"model": model}, BACK, actor="page:ann",
                 reason="the upstream columns are repaired")  # fmt: skip
    for number in range(1, 12):
        story.gate(model, "hat", 25 * number, -0.02 - 0.002 * number,
                   "no_data" if number < 8 else "continue", test=3)  # fmt: skip
        story.gate(model, "lr", 25 * number, 0.004 * number,
                   "no_data" if number < 8 else "continue", test=3)  # fmt: skip
    story.at(END)
    for scorer in ("scorer-0", "scorer-1"):
        story.serves(scorer, **{model: sm})
    story.serves("scorer-2", **{model: hat})


def _windows(story: Story, spec: ModelSpec, bins: BinsBody) -> None:
    for minute in range(0, END, 5):
        faulty = FAULT <= minute < REPAIR
        served = "hat" if TAKEOVER <= minute < BACK else "sm"
        right = {("sm", False): 0.93, ("sm", True): 0.61, ("hat", True): 0.84}.get(
            (served, faulty), 0.82
        )
        n = 200 + story.chance.randrange(30)
        start, end = START + minute * MINUTE, START + (minute + 5) * MINUTE
        left = (END - minute) // 5
        coverage = 1.0 if left > 6 else max(0.0, (left - 1) / 7)
        value = min(1.0, right + story.chance.gauss(0, 0.015)) if coverage else None
        version = short_hash(spec.model, served, "1")
        story.scored(spec, 200, start, end, n, value, coverage, version)
        results = results_of(spec, bins, n, 200, story.chance, faulty)
        story.judged(spec, 200, (start, end, n), results, version)
        if minute % 25 == 20:
            span = (end - 25 * MINUTE, end, 5 * n)
            story.scored(spec, 1_000, *span, value, coverage, version)
            story.judged(spec, 1_000, span, results_of(
                spec, bins, 1_000, 1_000, story.chance, faulty), version)  # fmt: skip


def _incidents(story: Story, model: str) -> None:
    cause = [
        Cause(feature=name, effect=0.62 - 0.05 * place, first_offset=4_801 + place).model_dump()
        for place, name in enumerate(SWAPPED)
    ]
    drifted = "features drifted from the reference over 214 predictions: hue-mean (effect 0.62)"
    five, six = f"5 of 16 {drifted}", f"6 of 16 {drifted}"
    fell = "accuracy fell from 93.1 % to 64.0 % over the last 50 labels; sm served"
    back = (
        "accuracy is back at 88.5 % over the last 200 labels (93.1 % before the incident), after"
        " hat took over from sm"
    )
    story.alert(model, "data", FAULT + 6, [
        (FAULT + 6, "firing", five, {"cause": cause[:5], "effect": 0.62}),
        (FAULT + 11, "worse", six, {"cause": cause, "effect": 0.62}),
        (REPAIR + 6, "resolved", "no feature differs from the reference over 221 predictions",
         {"cause": cause, "effect": 0.11}),
    ])  # fmt: skip
    story.alert(model, "error", FAULT + 9, [
        (FAULT + 9, "firing", fell, {"value": 0.64, "threshold": 0.88, "effect": 0.29}),
        (TAKEOVER + 30, "resolved", back, {"value": 0.885, "threshold": 0.88}),
    ])  # fmt: skip


def _contest(story: Story, spec: ModelSpec) -> None:
    for number in range(1, 17):
        gain = 0.21 if number > 4 else 0.12 + 0.02 * number
        verdict = "no_data" if number < 8 else "continue"
        story.gate(spec.model, "hat", 25 * number, gain, verdict, test=2)
    deployed = story.folds.registry.models[spec.model].deployed
    assert deployed is not None
    body = {
        "model": spec.model, "deployment_seq": deployed.body.deployment_seq, "champion": "sm",
        "challenger": "hat", "version_id": short_hash(spec.model, "hat", "3"),
        "since": START + FAULT * MINUTE, "j": 2, "k": 2, "n": 425, "metric": "accuracy",
        "mean": 0.212, "variance": 0.2, "r": 0.128, "alpha": 0.01, "lower": 0.021, "upper": 0.403,
        "least_gain": 0.03, "verdict": "promote",
    }  # fmt: skip
    proof = "hat against sm: gain 0.212, between 0.021 and 0.403, on 425 predictions"
    story.decide("gate_evaluated", body, TAKEOVER, actor="learner", reason=proof)


def regression(story: Story, model: str = "bike demand") -> None:
    """A model of numbers, served outside; no incident, but it may still change."""
    features = ("hour", "temperature", "humidity", "windspeed")
    wire = wire_of(model, features, task="regression")
    bins = bins_for(wire, story.chance)
    spec = story.apply(wire, bins)
    for minute in range(0, END, 10):
        start, end = START + minute * MINUTE, START + (minute + 10) * MINUTE
        value = 41 + 6 * story.chance.random() + minute / 40
        coverage = 1.0 if minute < END - 60 else 0.6
        story.scored(spec, 200, start, end, 240, value, coverage, "2026-11-01")
        results = results_of(spec, bins, 240, 200, story.chance, False)
        story.judged(spec, 200, (start, end, 240), results, "2026-11-01")


def broken_column(story: Story, model: str = "churn") -> None:
    """Its data incident is open."""
    features = ("plan", "tenure", "calls", "minutes")
    wire = wire_of(model, features, task="binary")
    spec = story.apply(wire, bins_for(wire, story.chance))
    for minute in range(0, END, 12):
        span = (START + minute * MINUTE, START + (minute + 12) * MINUTE, 260)
        story.scored(spec, 200, *span, 0.88 + story.chance.gauss(0, 0.01), 1.0, "v7")
        drifted = minute >= END - 60
        results = [
            Result(
                scope=name, statistic="rank_z", value=9.4, p_value=1e-9, threshold=1e-5,
                effect=0.1 + (0.4 if drifted and name == "tenure" else story.chance.random() / 20),
                outcome="drifted" if drifted and name == "tenure" else "ok", reason="p 1e-09",
            )
            for name in features
        ]  # fmt: skip
        story.judged(spec, 200, span, results, "v7")
    said = "1 of 4 features drifted from the reference over 260 predictions: tenure (effect 0.50)"
    cause = [{"feature": "tenure", "effect": 0.5, "first_offset": 9_120}]
    story.alert(model, "data", END - 47, [(END - 47, "firing", said, {"cause": cause})])


def evil(story: Story, model: str = EVIL) -> None:
    """Everything that somebody can type is markup."""
    typed = f"\"'>{EVIL}&amp;</title></script><script>alert(2)</script>"
    wire = wire_of(model, [EVIL, typed[:100]], pipelines={EVIL: []}, champion=EVIL)
    bins = bins_for(wire, story.chance)
    spec = story.apply(wire, bins)
    version = story.version(spec, EVIL, 1, 1, code=typed, metrics={EVIL: 1.0}, lineage=EVIL,
                            environment={EVIL: EVIL})  # fmt: skip
    for minute in (0, 5, 10):
        span = (START + minute * MINUTE, START + (minute + 5) * MINUTE, 210)
        story.scored(spec, 200, *span, 0.9, 1.0, typed)
        results = results_of(spec, bins, 210, 200, story.chance, minute == 5)
        story.judged(spec, 200, span, results, version)
    story.alert(model, "data", 12, [(12, "firing", typed, {
        "cause": [{"feature": EVIL, "effect": 0.5, "first_offset": 3},
                  {"segment": EVIL, "effect": 0.4}], "reason": typed})])  # fmt: skip
    story.gate(model, EVIL, 250, 0.01, "continue")
    story.decide("hold", {"model": model, "lineage": EVIL}, 20, actor=f"page:{EVIL}", reason=typed)


def quiet(story: Story) -> None:
    """One that waits for its first window, one that nobody registered, one that may be judged
    on nothing."""
    story.apply(wire_of("credit/eu", ["income", "age"]), None)
    spec = ModelSpec.model_validate(wire_of("nobody's model", ["x"]))
    story.scored(spec, 200, START, START + MINUTE, 200, None, 0.0, "v1")


def wide(story: Story, models: int = 50, features: int = 200, windows: int = 60) -> None:
    """Many models with many features; what is said of them is drawn, not judged."""
    chance = Random(1)
    names = [f"feature_{number:03d}" for number in range(features)]
    pool = [[_drawn(chance, name) for name in names] for _ in range(windows)]
    bins = bins_for(wire_of("wide", names), chance, rows=60)
    for number in range(models):
        wire = wire_of(f"wide-{number:02d}", names, pipelines={"sm": []}, champion="sm")
        spec = story.apply(wire, bins)
        version = story.version(spec, "sm", 1, 0)
        for place, results in enumerate(pool):
            span = (START + place * 5 * MINUTE, START + (place + 1) * 5 * MINUTE, 220)
            story.scored(spec, 200, *span, 0.9 + chance.random() / 20, 1.0, version)
            story.folds._verdict(_of(spec.model, span, results, version))


def _drawn(chance: Random, name: str) -> Result:
    effect = abs(chance.gauss(0.1, 0.03))
    drifted = effect > 0.2
    return Result(
        scope=name, statistic="rank_z", value=effect * 10, p_value=0.2, effect=effect,
        threshold=1e-6, outcome="drifted" if drifted else "ok", reason="drawn",
    )  # fmt: skip


def _of(model: str, span: tuple[int, int, int], results: list[Result], version: str) -> Verdict:
    start, end, n = span
    return Verdict(
        verdict_id=verdict_id(model, "data", 200, start, end), revision=1, model=model,
        model_version=version, check="data", target=200, outcome="ok",
        window=Window(start=start, end=end, n=n), results=results, at=end,
    )  # fmt: skip


def whole_story(*, with_evil: bool = True) -> Story:
    """All of it but the many."""
    return _told(with_evil).copied()


@cache
def _told(with_evil: bool) -> Story:
    story = Story()
    fault_and_return(story)
    regression(story)
    broken_column(story)
    if with_evil:
        evil(story)
    quiet(story)
    story.at(END)
    return story
