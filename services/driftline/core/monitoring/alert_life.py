"""The life of one alert at a time: firing, worse, then resolved or retracted.

One incident gives one alert id, however often it changes. Revisions that follow from one journal
record (a mark may close several blocks) are one revision: a later one replaces the earlier.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any, Final, NamedTuple, Self

from driftline_schemas.alerts import Alert, Check, Severity, alert_id, fingerprint
from driftline_schemas.fields import JournalPosition

SCOPE: Final = "model"


class Moment(NamedTuple):
    """A record of the journal that is being folded, and its append time (ms)."""

    position: JournalPosition
    at: int


class Evidence(NamedTuple):
    """The numbers of a revision."""

    n: int
    value: float | None
    threshold: float | None
    effect: float | None


@dataclass(slots=True)
class AlertLife:
    """The alerts of one check of one model (of one of its metrics, if `scope` names it); `alert` is
    the newest revision of the open one."""

    model: str
    check: Check
    severity: Severity
    alert: Alert | None = None
    scope: str = SCOPE
    _revised_by: JournalPosition | None = None

    def fire(
        self, moment: Moment, opened_at: int, model_version: str, evidence: Evidence, **rest: Any
    ) -> Alert:
        """An incident opens. `rest` are summary, and cause or coverage if there are any."""
        about = fingerprint(self.model, self.check, self.scope)
        self._revised_by = moment.position
        self.alert = Alert(
            alert_id=alert_id(about, moment.position),
            fingerprint=about,
            status="firing",
            revision=1,
            at=moment.at,
            severity=self.severity,
            model=self.model,
            model_version=model_version,
            check=self.check,
            scope=self.scope,
            opened_at=opened_at,
            opened_by=moment.position,
            replay=(
                f"driftline alerts tail --model {quote(self.model)} --from-start --no-follow --json"
            ),
            **evidence._asdict(),
            **rest,
        )
        return self.alert

    def worsen(self, moment: Moment, evidence: Evidence, **rest: Any) -> Alert:
        """The open incident grew."""
        alert = self._opened()
        again = moment.position == self._revised_by
        life = {"status": alert.status if again else "worse"}
        revision = alert.revision if again else alert.revision + 1
        self._revised_by = moment.position
        self.alert = _revised(alert, revision, moment.at, evidence, {**life, **rest})
        return self.alert

    def resolve(self, moment: Moment, evidence: Evidence | None = None, **rest: Any) -> Alert:
        """The open incident is over; without evidence it keeps the last numbers."""
        return self._end(moment, evidence, {"status": "resolved", **rest})

    def retract(self, moment: Moment, evidence: Evidence, **rest: Any) -> Alert:
        """There was no incident: what it was opened for proved wrong."""
        return self._end(moment, evidence, {"status": "retracted", **rest})

    def _end(self, moment: Moment, evidence: Evidence | None, rest: Mapping[str, Any]) -> Alert:
        alert = self._opened()
        self.alert = None
        return _revised(alert, alert.revision + 1, moment.at, evidence, rest)

    def adopt(self, alert: Alert) -> None:
        """Go on under the identity and revision of an alert that was published."""
        self.alert = alert

    def _opened(self) -> Alert:
        if self.alert is None:
            raise RuntimeError(f"no {self.check} incident of {self.model} is open")
        return self.alert

    def snapshot(self) -> dict[str, Any] | None:
        """The state as JSON types."""
        return None if self.alert is None else self.alert.model_dump(mode="json")

    @classmethod
    def restore(
        cls, model: str, check: Check, severity: Severity, snapshot: Mapping[str, Any] | None
    ) -> Self:
        """The state that `snapshot` gave, at the end of a record."""
        life = cls(model, check, severity)
        life.take_up(snapshot)
        return life

    def take_up(self, snapshot: Mapping[str, Any] | None) -> None:
        """Go on where another life of the same alerts gave this `snapshot`."""
        self.alert = None if snapshot is None else Alert.model_validate(snapshot)


def _revised(
    alert: Alert, revision: int, at: int, evidence: Evidence | None, rest: Mapping[str, Any]
) -> Alert:
    numbers = {} if evidence is None else evidence._asdict()
    return alert.model_copy(update={"revision": revision, "at": at, **numbers, **rest})
