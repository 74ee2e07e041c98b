"""When does the drift of a model's features fire, worsen or resolve its alert?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from driftline.core.drift.data_incident import (
    DataIncident,
    Extended,
    Opened,
    Resolved,
    block_verdict,
)
from driftline.core.drift.two_sample import Comparison
from driftline.core.monitoring import sentences
from driftline.core.monitoring.alert_life import AlertLife, Evidence, Moment
from driftline.core.monitoring.detection import ReadyBlock
from driftline_schemas.alerts import Alert, Cause

# An incident is reported as worse when a feature joins its cause, or when its largest effect is
# this many times the one last reported: effects lie below 1, so that happens a few times at most.
GROWTH: Final = 2.0


@dataclass(slots=True)
class DataAlerts:
    """The data incident of one model and its alert."""

    life: AlertLife
    _incident: DataIncident

    @classmethod
    def of(cls, model: str) -> Self:
        """No incident yet."""
        return cls(AlertLife(model, "data", "error"), DataIncident())

    def judges(self, ready: ReadyBlock) -> bool:
        """Whether the block is to be judged (it is not if it holds drift that is over)."""
        return self._incident.judges(ready.block.start_index)

    def step(
        self, moment: Moment, ready: ReadyBlock, comparisons: Mapping[str, Comparison]
    ) -> Alert | None:
        """Take in the comparisons of a block's features; a revision if there is one.

        A feature's `first_offset` is the journal record that began the first block it drifted in.
        """
        outcome = self._incident.step(block_verdict(ready.block, comparisons, ready.first_offset))
        evidence = _evidence(ready, comparisons)
        match outcome:
            case Opened(cause):
                rest = _drifted(_published(cause), comparisons, ready)
                version = ready.model_version
                return self.life.fire(moment, moment.at, version, evidence, **rest)
            case Extended(cause):
                rest = _drifted(_published(cause), comparisons, ready)
                return self.life.worsen(moment, evidence, **rest)
            case Resolved(cause):
                return self._resolve(moment, evidence, _published(cause))
        return self._grow(moment, evidence, comparisons, ready)

    def _resolve(self, moment: Moment, evidence: Evidence, causes: list[Cause]) -> Alert:
        summary = sentences.features_are_back(causes, evidence.n)
        return self.life.resolve(moment, evidence, cause=causes, summary=summary)

    def _grow(
        self,
        moment: Moment,
        evidence: Evidence,
        comparisons: Mapping[str, Comparison],
        ready: ReadyBlock,
    ) -> Alert | None:
        alert, causes = self.life.alert, _published(self._incident.cause)
        if alert is None or not causes or causes[0].effect < GROWTH * alert.cause[0].effect:
            return None
        return self.life.worsen(moment, evidence, **_drifted(causes, comparisons, ready))

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {"alert": self.life.snapshot(), "incident": self._incident.snapshot()}

    @classmethod
    def restore(cls, model: str, snapshot: Mapping[str, Any]) -> Self:
        """The state that `snapshot` gave."""
        life = AlertLife.restore(model, "data", "error", snapshot["alert"])
        return cls(life, DataIncident.restore(snapshot["incident"]))


def _published(cause: Any) -> list[Cause]:
    return [Cause(feature=c.feature, effect=c.effect, first_offset=c.first_offset) for c in cause]


def _drifted(
    causes: list[Cause], comparisons: Mapping[str, Comparison], ready: ReadyBlock
) -> dict[str, Any]:
    summary = sentences.features_drifted(causes, len(comparisons), ready.block.n)
    return {"cause": causes, "summary": summary}


def _evidence(ready: ReadyBlock, comparisons: Mapping[str, Comparison]) -> Evidence:
    """Of the feature that differs most surely: its p-value, the level, its effect."""
    asked = [c for c in comparisons.values() if c.p_value is not None]
    surest = min(asked, key=lambda c: (c.p_value, -c.effect), default=None)
    if surest is None:
        return Evidence(ready.block.n, None, None, None)
    return Evidence(ready.block.n, surest.p_value, surest.threshold, surest.effect)
