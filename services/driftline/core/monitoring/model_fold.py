"""All that the monitor knows about one model: a fold over its records of the journal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import orjson

from driftline.core.joining.counting import FUTURE_MS
from driftline.core.monitoring.alert_life import AlertLife, Moment
from driftline.core.monitoring.data_alerts import DataAlerts, FeaturesJudged
from driftline.core.monitoring.detection import ClosedPane, Detection, ReadyBlock
from driftline.core.monitoring.error_alerts import ErrorAlerts
from driftline.core.monitoring.judgement import (
    data_verdict,
    features_only,
    judge_block,
)
from driftline.core.monitoring.limit_alerts import LimitAlerts
from driftline.core.monitoring.lineages import Lineages
from driftline.core.monitoring.performance import Performance
from driftline.core.monitoring.records import Labelled
from driftline.core.monitoring.reference_counts import Change
from driftline.core.monitoring.references import THE_REFERENCE, References
from driftline.core.monitoring.segment_deltas import SegmentDeltas
from driftline_schemas.alerts import Alert
from driftline_schemas.control import (
    AcceptDriftBody,
    AcceptDriftControl,
    BinsBody,
    BinsControl,
    Control,
    DeployedBody,
    DeployedControl,
    SpecBody,
    SpecControl,
)
from driftline_schemas.journal import Correction, Counts, Joined
from driftline_schemas.verdicts import Verdict

SPEC_CHANGED = "spec changed"
Published = list[Verdict | Alert]


def event_time(predicted_at: int, append_time: int) -> int:
    """When a prediction was made (ms): its own word, unless that lies over 5 min in the future."""
    return predicted_at if predicted_at <= append_time + FUTURE_MS else append_time


@dataclass(slots=True)
class ModelFold:
    """One model. Panes are `pane_ms` long; `performance` goes back to the label horizon."""

    model: str
    pane_ms: int
    performance: Performance
    spec: SpecBody | None = None
    segments: SegmentDeltas = field(default_factory=SegmentDeltas)
    detection: Detection = field(default_factory=Detection)
    data: DataAlerts = field(init=False)
    error: ErrorAlerts = field(init=False)
    limits: LimitAlerts = field(default_factory=LimitAlerts)  # that the spec sets
    lineages: Lineages = field(default_factory=Lineages)
    seqs: dict[str, int] = field(default_factory=dict)  # highest fact, by action
    changes: list[Change] = field(default_factory=list)  # of the reference, for the log
    references: References | None = None  # None: no bins

    def __post_init__(self) -> None:
        self.data, self.error = DataAlerts.of(self.model), ErrorAlerts.of(self.model)

    @property
    def lives(self) -> list[AlertLife]:
        """The alerts of all checks, that of the data first."""
        return [self.data.life, self.error.life, *self.limits.lives]

    def joined(self, moment: Moment, record: Joined | Labelled, *, is_conflict: bool) -> Published:
        """A prediction got its label. One that is in conflict with the spec is not scored."""
        pane = event_time(record.predicted_at, record.prediction_ts) // self.pane_ms
        version, prediction, label = record.model_version, record.prediction, record.label
        self.performance.labelled(pane, version, prediction, label, moment.at)
        alerts = self.limits.labelled(moment, record, is_conflict=is_conflict)
        if self.spec is not None and not is_conflict:
            alert = self.error.step(moment, record, self.lineages.of(version))
            alerts += [] if alert is None else [alert]
        return self._told_with_coverage(alerts)

    def is_conflict(self, record: Joined | Labelled | Correction) -> bool:
        """Whether prediction or label is a number where the spec says class, or the reverse."""
        if self.spec is None:
            return False
        classes = self.spec.spec.task != "regression"
        are_classes = isinstance(record.prediction, str), isinstance(record.label, str)
        return are_classes != (classes, classes)

    def _told(self, alerts: Iterable[Alert], **more: float | None) -> Published:
        """With what the checks do not know: the lineage, and what is given as `more`."""
        told: Published = []
        for alert in alerts:
            lineage = alert.lineage or self.lineages.of(alert.model_version)
            amended = alert.model_copy(update={"lineage": lineage, **more})
            for life in self.lives:
                if life.alert is alert:
                    life.alert = amended
            told.append(amended)
        return told

    def correction(self, moment: Moment, record: Correction, *, is_conflict: bool) -> Published:
        """A joined prediction got another label."""
        pane = event_time(record.predicted_at, record.label_ts) // self.pane_ms
        labels = record.previous_label, record.label
        version, at = record.model_version, moment.at
        self.performance.corrected(pane, version, record.prediction, labels, at)
        return self._told_with_coverage(
            self.limits.labelled(moment, record, is_conflict=is_conflict)
        )

    def _told_with_coverage(self, alerts: list[Alert]) -> Published:
        return self._told(alerts, coverage=self.performance.coverage()) if alerts else []

    def counts(self, moment: Moment, record: Counts, first_open: int) -> Published:
        """Predictions were counted. Those of a closed pane are judged with the first open one."""
        delta = self.segments.take(record)
        if delta is None:
            return []
        pane = delta.pane // self.pane_ms
        self.performance.predicted(pane, delta.model_version, delta.n, moment.at)
        bins_id = None if self.references is None else self.references.bins.bins_id
        if self.spec is not None and delta.bins_id == bins_id:
            if bins_id is None:
                delta = delta._replace(counts={})
            self.detection.add(max(pane, first_open), delta, moment.position[2])
        return self._told(self.limits.predicted(moment, delta.model_version, delta.n))

    def advance(self, moment: Moment, clock: int) -> Published:
        """All input partitions have come to the time `clock` (ms)."""
        return self._told(self.limits.advance(moment, clock))

    def control(self, moment: Moment, record: Control) -> Published:
        """The registry decided something. One fact may bring a spec and its bins."""
        if record.seq <= self.seqs.get(record.action, -1):
            return []
        self.seqs[record.action] = record.seq
        if isinstance(record, SpecControl):
            return self._new_spec(moment, record.body)
        if isinstance(record, BinsControl) and record.seq >= self.seqs.get("spec", 0):
            return self._new_bins(moment, record.body)
        if isinstance(record, DeployedControl):
            self._deployed(moment, record.body)
        elif isinstance(record, AcceptDriftControl) and record.seq > self.seqs.get("spec", 0):
            self._accepted(record.body)
        return []

    def _deployed(self, moment: Moment, body: DeployedBody) -> None:
        left = self.lineages.serving
        self.lineages.deployed(body)
        if self.references is not None and left is not None:
            pane = max(moment.at // self.pane_ms, self.detection.next_pane)
            self._note(self.references.took_over(left, body.lineage, pane))

    def _accepted(self, body: AcceptDriftBody) -> None:
        if self.references is None or body.bins_id != self.references.bins.bins_id:
            self._note(Change("other_bins"))
        else:
            panes = range(body.from_pane // self.pane_ms, body.to_pane // self.pane_ms)
            self._note(self.references.accept(panes, self.detection.next_pane))

    def _note(self, change: Change | None) -> None:
        if change is not None:
            self.changes.append(change)

    def _new_spec(self, moment: Moment, body: SpecBody) -> Published:
        if self.spec is not None and self.spec.spec_hash == body.spec_hash:
            return []
        published: Published = [*self.revisions(), *self._begin_anew(moment, data_only=False)]
        self.spec, self.references, self.limits = body, None, LimitAlerts.of(body.spec)
        return published

    def _new_bins(self, moment: Moment, body: BinsBody) -> Published:
        if self.references is not None and self.references.bins.bins_id == body.bins_id:
            return []
        published = self._begin_anew(moment, data_only=True)
        self.references = References.of(body)
        return published

    def _begin_anew(self, moment: Moment, *, data_only: bool) -> Published:
        """What was found by another spec is no longer known to be so."""
        lives = self.lives[:1] if data_only else self.lives
        summary = "the specification changed, so the incident is judged no further"
        published: Published = [
            life.resolve(moment, reason=SPEC_CHANGED, summary=summary)
            for life in lives
            if life.alert is not None
        ]
        self.detection, self.data = Detection(), DataAlerts.of(self.model)
        if not data_only:
            self.error = ErrorAlerts.of(self.model)
        return published

    def close(self, moment: Moment, below: int, horizon: int) -> Published:
        """All panes below are closed, and no label comes any more for those below `horizon`."""
        verdicts: Published = []
        alerts: dict[tuple[str, int], Alert] = {}  # of one record, only the last of a revision
        for closed in self.detection.close(below):
            for ready in closed.ready:
                self.performance.judged(ready.block)
                if self._judges(ready):
                    verdict, alert = self._judge(moment, ready)
                    verdicts.append(verdict)
                    if alert is not None:
                        alerts[alert.alert_id, alert.revision] = alert
            self._closed(closed)
        return [*verdicts, *self._told(alerts.values()), *self._let_go(horizon)]

    def _judges(self, ready: ReadyBlock) -> bool:
        known = self.references is None or self.references.hold(ready)
        return known and self.data.judges(ready)

    def _closed(self, closed: ClosedPane) -> None:
        if self.references is not None:
            self._note(self.references.closed(closed))

    def _judge(self, moment: Moment, ready: ReadyBlock) -> tuple[Verdict, Alert | None]:
        assert self.spec is not None  # noqa: S101 - without a spec nothing is counted
        spec = self.spec.spec
        reference = None if self.references is None else self.references.of_block(ready)
        comparisons = judge_block(spec, reference, ready)
        named = THE_REFERENCE if reference is None else reference.name
        was_open = self.data.is_open
        judged = FeaturesJudged(ready, features_only(comparisons), named)
        alert = self.data.step(moment, judged)
        if self.references is not None and self.data.is_open is not was_open:
            self.references.incident(ready, is_open=not was_open)
        verdict = data_verdict(
            spec, reference, ready, comparisons, pane_ms=self.pane_ms, at=moment.at
        )
        return verdict, alert

    def _let_go(self, horizon: int) -> Published:
        last: Published = []
        if self.performance.outlives(horizon):
            last += self.revisions()
        self.performance.drop(horizon, self.detection.earliest)
        if self.references is not None:
            self.references.drop(horizon)
        return last

    def is_forgotten(self, since: int) -> bool:
        """Whether nobody registered the model, and its records ended before that time (ms)."""
        return not self.seqs and self.performance.is_idle(since)

    def revisions(self) -> list[Verdict]:
        """Performance windows that changed since the last call; none before there is a spec."""
        if self.spec is None:
            self.performance.forget_changes()
            return []
        return self.performance.revisions(self.spec.spec)

    def snapshot(self) -> dict[str, Any]:
        """The state, for orjson."""
        return {
            "performance": self.performance.snapshot(),
            "spec": _fragment(self.spec),
            "references": None if self.references is None else self.references.snapshot(),
            "segments": self.segments.snapshot(),
            "detection": self.detection.snapshot(),
            "data": self.data.snapshot(),
            "error": self.error.snapshot(),
            "limits": self.limits.snapshot(),
            "lineages": self.lineages.snapshot(),
            "seqs": dict(self.seqs),
        }

    @classmethod
    def restore(cls, model: str, pane_ms: int, snapshot: Mapping[str, Any]) -> Self:
        """The state that `snapshot` gave."""
        spec, references = snapshot["spec"], snapshot["references"]
        fold = cls(
            model,
            pane_ms,
            Performance.restore(pane_ms, snapshot["performance"]),
            None if spec is None else SpecBody.model_validate(spec),
            segments=SegmentDeltas.restore(snapshot["segments"]),
            detection=Detection.restore(snapshot["detection"]),
            lineages=Lineages.restore(snapshot["lineages"]),
            seqs=dict(snapshot["seqs"]),
            references=None if references is None else References.restore(references),
        )
        fold.data = DataAlerts.restore(model, snapshot["data"])
        fold.error = ErrorAlerts.restore(model, snapshot["error"])
        if fold.spec is not None:
            fold.limits = LimitAlerts.restore(fold.spec.spec, snapshot["limits"])
        return fold


def _fragment(body: SpecBody | None) -> orjson.Fragment | None:
    return None if body is None else orjson.Fragment(body.model_dump_json())
