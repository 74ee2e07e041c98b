"""What does a partition of the journal say? Verdicts and alerts, as a fold over its records.

Pure: records and their append times come in, what is to be published comes out. The same records
give the same verdicts and alerts by id, wherever the fold was cut, saved and restored, and a
record that is repeated changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from driftline.core.monitoring.alert_life import AlertLife, Moment
from driftline.core.monitoring.identities import HOUR_MS, LabelIdentities
from driftline.core.monitoring.input_times import InputTimes
from driftline.core.monitoring.model_fold import ModelFold, Published
from driftline.core.monitoring.performance import Performance
from driftline.core.monitoring.records import Labelled, MonitorRecord
from driftline.core.monitoring.reference_counts import Change
from driftline_schemas.alerts import Alert
from driftline_schemas.journal import Correction, Counts, Joined, Mark
from driftline_schemas.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class MonitorPolicy:
    """What all monitors of an installation agree on; times in ms.

    A pane closes `grace_ms` after its end, once all `input_partitions` have come so far. No label
    comes later than `horizon_ms` after its prediction.
    """

    pane_ms: int
    grace_ms: int
    horizon_ms: int
    input_partitions: int


@dataclass(slots=True)
class JournalFold:
    """The models of one journal partition. `conflicts` counts numbers where the spec says class
    (or the reverse) since the fold was made or restored."""

    policy: MonitorPolicy
    topic: str
    partition: int
    models: dict[str, ModelFold] = field(default_factory=dict)
    time: int = 0  # latest append time of a record (ms)
    conflicts: int = 0
    _identities: LabelIdentities = field(default_factory=LabelIdentities)
    _inputs: InputTimes = field(init=False)
    _first_open: int = 0  # panes below are closed

    def __post_init__(self) -> None:
        self._inputs = InputTimes(self.policy.input_partitions)

    def step(self, offset: int, append_time: int, record: MonitorRecord) -> Published:
        """Fold one record in; what it makes known. Raises ValueError for impossible counts."""
        self.time = max(self.time, append_time)
        self._identities.advance(self.time)
        moment = Moment((self.topic, self.partition, offset), append_time)
        match record:
            case Labelled() | Joined() | Correction():
                return self._label(moment, record)
            case Counts():
                return self._model(record.model).counts(moment, record, self._first_open)
            case Mark():
                return self._mark(moment, record)
        return self._model(record.model).control(moment, record)

    def _label(self, moment: Moment, record: Joined | Labelled | Correction) -> Published:
        if not self._identities.is_new(record.label_tp):
            return []
        model = self._model(record.model)
        is_conflict = model.is_conflict(record)
        self.conflicts += is_conflict
        if isinstance(record, Correction):
            return model.correction(moment, record, is_conflict=is_conflict)
        return model.joined(moment, record, is_conflict=is_conflict)

    def _mark(self, moment: Moment, mark: Mark) -> Published:
        before = self._inputs.passed
        self._inputs.mark(mark.times)
        passed = self._inputs.passed
        if passed is None or passed == before:
            return []
        models = [self.models[name] for name in sorted(self.models)]
        published = [out for model in models for out in model.advance(moment, passed)]
        return published + self._close(moment, models, passed)

    def _close(self, moment: Moment, models: Sequence[ModelFold], passed: int) -> Published:
        first_open = (passed - self.policy.grace_ms) // self.policy.pane_ms
        if first_open <= self._first_open:
            return []
        self._first_open = first_open
        horizon = (passed - self.policy.horizon_ms) // self.policy.pane_ms
        published = [out for model in models for out in model.close(moment, first_open, horizon)]
        self._forget(self.time - 2 * HOUR_MS)
        return published

    def _forget(self, since: int) -> None:
        """Anybody may write any model's name: those that were only passing by are let go."""
        gone = [name for name, model in self.models.items() if model.is_forgotten(since)]
        for name in gone:
            del self.models[name]

    def _model(self, name: str) -> ModelFold:
        if name not in self.models:
            pane_ms = self.policy.pane_ms
            self.models[name] = ModelFold(name, pane_ms, Performance(pane_ms))
        return self.models[name]

    @property
    def registered(self) -> list[str]:
        """The models that the registry knows."""
        return [name for name, model in self.models.items() if model.seqs]

    def revisions(self) -> list[Verdict]:
        """Performance verdicts that changed since the last call."""
        models = [self.models[name] for name in sorted(self.models)]
        return [verdict for model in models for verdict in model.revisions()]

    def reference_changes(self) -> list[tuple[str, Change]]:
        """What changes of reference counts came to since the last call, by model."""
        found = [(name, change) for name, m in self.models.items() for change in m.changes]
        for model in self.models.values():
            model.changes.clear()
        return found

    def lives(self) -> list[AlertLife]:
        """The lives of all alerts, open or not."""
        return [life for name in sorted(self.models) for life in self.models[name].lives]

    def open_alerts(self) -> Sequence[Alert]:
        """The newest revision of each open alert."""
        return [life.alert for life in self.lives() if life.alert is not None]

    def snapshot(self) -> dict[str, Any]:
        """The state, for orjson."""
        return {
            "policy": [self.policy.pane_ms, self.policy.input_partitions],
            "time": self.time,
            "identities": self._identities.snapshot(),
            "inputs": self._inputs.snapshot(),
            "first_open": self._first_open,
            "models": {name: model.snapshot() for name, model in self.models.items()},
        }

    @classmethod
    def restore(
        cls, policy: MonitorPolicy, topic: str, partition: int, snapshot: Mapping[str, Any]
    ) -> Self:
        """The state that `snapshot` gave. Raises ValueError for one of other panes or inputs."""
        if snapshot["policy"] != [policy.pane_ms, policy.input_partitions]:
            raise ValueError("the state was made with other panes or input partitions")
        models = {
            name: ModelFold.restore(name, policy.pane_ms, model)
            for name, model in snapshot["models"].items()
        }
        fold = cls(policy, topic, partition, models, snapshot["time"])
        fold._identities = LabelIdentities.restore(snapshot["identities"])
        fold._inputs = InputTimes.restore(policy.input_partitions, snapshot["inputs"])
        fold._first_open = snapshot["first_open"]
        return fold
