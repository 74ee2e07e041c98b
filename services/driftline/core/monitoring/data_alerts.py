"""When does the drift of a model's features fire, worsen or resolve its alert?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

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


class FeaturesJudged(NamedTuple):
    """What the features of a block say against the reference, which sentences call by name."""

    ready: ReadyBlock
    comparisons: Mapping[str, Comparison]
    reference: str

    @property
    def evidence(self) -> Evidence:
        """Of the feature that differs most surely: its p-value, the level, its effect."""
        n = self.ready.block.n
        asked = [c for c in self.comparisons.values() if c.p_value is not None]
        surest = min(asked, key=lambda c: (c.p_value, -c.effect), default=None)
        if surest is None:
            return Evidence(n, None, None, None)
        return Evidence(n, surest.p_value, surest.threshold, surest.effect)

    def drifted(self, causes: list[Cause]) -> dict[str, Any]:
        """What an open incident's alert says."""
        n, features = self.ready.block.n, len(self.comparisons)
        summary = sentences.features_drifted(causes, features, n, self.reference)
        return {"cause": causes, "summary": summary}

    def clean(self, causes: list[Cause]) -> dict[str, Any]:
        """What the last revision says."""
        summary = sentences.features_are_back(causes, self.ready.block.n, self.reference)
        return {"cause": causes, "summary": summary}


@dataclass(slots=True)
class DataAlerts:
    """The data incident of one model and its alert."""

    life: AlertLife
    _incident: DataIncident

    @classmethod
    def of(cls, model: str) -> Self:
        """No incident yet."""
        return cls(AlertLife(model, "data", "error"), DataIncident())

    @property
    def is_open(self) -> bool:
        return self._incident.is_open

    def judges(self, ready: ReadyBlock) -> bool:
        """Whether the block is to be judged (it is not if it holds drift that is over)."""
        return self._incident.judges(ready.block.start_index)

    def step(self, moment: Moment, found: FeaturesJudged) -> Alert | None:
        """Take in what a block's features say; a revision if there is one.

        A feature's `first_offset` is the journal record that began the first block it drifted in.
        """
        ready = found.ready
        outcome = self._incident.step(
            block_verdict(ready.block, found.comparisons, ready.first_offset)
        )
        match outcome:
            case Opened(cause):
                rest, version = found.drifted(_published(cause)), ready.model_version
                return self.life.fire(moment, moment.at, version, found.evidence, **rest)
            case Extended(cause):
                return self.life.worsen(moment, found.evidence, **found.drifted(_published(cause)))
            case Resolved(cause):
                rest = found.clean(_published(cause))
                return self.life.resolve(moment, found.evidence, **rest)
        return self._grow(moment, found)

    def _grow(self, moment: Moment, found: FeaturesJudged) -> Alert | None:
        alert, causes = self.life.alert, _published(self._incident.cause)
        if alert is None or not causes or causes[0].effect < GROWTH * alert.cause[0].effect:
            return None
        return self.life.worsen(moment, found.evidence, **found.drifted(causes))

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
