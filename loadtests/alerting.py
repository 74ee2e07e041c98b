"""How long from the end of a pane until its alert is there? Ten models whose data shift in turn.

A model drifts in every pane. A pane closes with the first mark that says all inputs have come past
its end and grace; a mark comes once a pane, and at least every ten seconds. The alert names the
mark (`opened_by`), so the time is split there: before it lies the waiting for a mark, behind it the
work of monitor and alerter. Times of journal and alerts are the broker's; that of the webhook is
our receiver's, on the same clock.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from driftline.demo.receiver import Receiver
from driftline_schemas.fields import parse_time
from driftline_schemas.topics import ALERTS, JOURNAL, VERDICTS, Topic
from loadtests.events import Events
from loadtests.feeding import Feeder, order
from loadtests.installation import Installation, Servers, installation, real_servers, running
from loadtests.options import positive, whole
from loadtests.outcome import messages
from loadtests.report import spread, table, told

DEFAULT_PANE_SECONDS: Final = 3
DEFAULT_RATE: Final = 1_000.0
ROLES: Final = ("joiner", "monitor", "alerter")
SHIFT: Final = 30.0  # by one standard deviation
TAIL_PANES: Final = 2  # so that the last model's drift fills a pane
LABEL_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Load:
    """What to run: models, panes of so many seconds, pairs a second over all models."""

    models: int
    pane_seconds: int = DEFAULT_PANE_SECONDS
    rate: float = DEFAULT_RATE

    @property
    def pairs_per_pane(self) -> int:
        return int(self.rate * self.pane_seconds)

    @property
    def names(self) -> list[str]:
        return [f"load-{number}" for number in range(self.models)]


@dataclass(frozen=True, slots=True)
class Fleet:
    """Pairs of the models in turn; each model's numbers shift a pane after the model's before."""

    load: Load
    calm: Sequence[Events]
    shifted: Sequence[Events]

    @classmethod
    def of(cls, load: Load) -> "Fleet":
        """Bodies of their own for each model."""
        calm, shifted = (
            [Events.made(n, name, seed=n, shift=shift) for n, name in enumerate(load.names)]
            for shift in (0.0, SHIFT)
        )
        return cls(load, calm, shifted)

    def key(self, pair: int) -> bytes:
        events, number = self._of(pair)
        return events.key(number)

    def prediction(self, pair: int, now: int) -> bytes:
        events, number = self._of(pair)
        return events.prediction(number, now)

    def label(self, pair: int, now: int) -> bytes:
        events, number = self._of(pair)
        return events.label(number, now)

    def _of(self, pair: int) -> tuple[Events, int]:
        number, model = divmod(pair, self.load.models)
        has_drifted = pair >= (model + 1) * self.load.pairs_per_pane
        return (self.shifted if has_drifted else self.calm)[model], number


class Timeline(NamedTuple):
    """One alert, in ms since the epoch."""

    due: int  # end of the drifted block's last pane, plus grace
    mark: int
    alert: int
    webhook: int


def measure(found: Servers, load: Load) -> dict[str, Any]:
    """One run in an installation of its own."""
    panes = {"pane_seconds": str(load.pane_seconds), "pane_grace_seconds": str(load.pane_seconds)}
    with Receiver() as receiver, installation(found, load.names, **panes) as made:
        alerter = {"webhook_url": receiver.url("webhook")}
        with running(made, dict.fromkeys(ROLES, 1), alerter=alerter) as roles:
            feeder = Feeder(found.brokers, made.prefix, Fleet.of(load), load.rate)
            pairs = (load.models + TAIL_PANES) * load.pairs_per_pane
            feeder.send(order(pairs, int(load.rate * LABEL_SECONDS)))
            roles.wait(lambda: len(_heard(receiver)) >= load.models)
        timelines = _timelines(made, load, _heard(receiver))
    return {
        "models": load.models,
        "pane_seconds": load.pane_seconds,
        "pairs_per_second": load.rate,
        "alerts": len(timelines),
        "due_to_mark_ms": spread([each.mark - each.due for each in timelines]),
        "mark_to_alert_ms": spread([each.alert - each.mark for each in timelines]),
        "mark_to_webhook_ms": spread([each.webhook - each.mark for each in timelines]),
        "due_to_webhook_ms": spread([each.webhook - each.due for each in timelines]),
    }


def _heard(receiver: Receiver) -> dict[str, int]:
    """When (ms) the receiver first heard that an alert on data fires, by alert id."""
    heard: dict[str, int] = {}
    for each in list(receiver.received):
        labels, said = each.body["commonLabels"], each.body["commonAnnotations"]
        if (labels["check"], said["status"]) == ("data", "firing"):
            heard.setdefault(said["alert_id"], each.at)
    return heard


def _timelines(made: Installation, load: Load, heard: Mapping[str, int]) -> list[Timeline]:
    """Of every alert that was heard of."""
    brokers, prefix = made.found.brokers, made.prefix
    ends: dict[tuple[str, str], int] = {}  # by model and time: end of the first drifted block
    for verdict, _ in _events(made, VERDICTS):
        if (verdict["check"], verdict["outcome"]) == ("data", "drifted"):
            key, end = (verdict["model"], verdict["at"]), parse_time(verdict["window"]["to"])
            ends[key] = min(end, ends.get(key, end))
    marks = {
        (message.partition(), message.offset()): message.timestamp()[1]
        for message in messages(brokers, prefix, JOURNAL)
    }
    found: dict[str, Timeline] = {}
    for alert, at in _events(made, ALERTS):
        if alert["alert_id"] in heard and alert["status"] == "firing":
            _, partition, offset = alert["opened_by"]
            due = ends[alert["model"], alert["at"]] + 1_000 * load.pane_seconds
            timeline = Timeline(due, marks[partition, offset], at, heard[alert["alert_id"]])
            found.setdefault(alert["alert_id"], timeline)
    return list(found.values())


def _events(made: Installation, topic: Topic) -> Iterator[tuple[dict[str, Any], int]]:
    """The records of a topic, each with its time (ms)."""
    for message in messages(made.found.brokers, made.prefix, topic):
        yield orjson.loads(message.value()), message.timestamp()[1]


def is_well(result: Mapping[str, Any]) -> bool:
    """Every model had its alert."""
    return bool(result["alerts"] >= result["models"])


def lines(result: Mapping[str, Any]) -> list[str]:
    """For people."""
    rows = {
        "alerts": (
            f"{result['alerts']} of {result['models']} models, panes of"
            f" {result['pane_seconds']} s, {result['pairs_per_second']:,.0f} pairs/s"
        ),
        "pane to mark": told(result["due_to_mark_ms"]),
        "mark to alert": told(result["mark_to_alert_ms"]),
        "mark to webhook": told(result["mark_to_webhook_ms"]),
        "pane to webhook": told(result["due_to_webhook_ms"]),
    }
    return table(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print; exit code 1 when a model had no alert."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.alerting", description=__doc__)
    parser.add_argument("--models", type=whole, default=10)
    parser.add_argument("--pane-seconds", type=whole, default=DEFAULT_PANE_SECONDS)
    parser.add_argument(
        "--rate", type=positive, default=DEFAULT_RATE, help="pairs a second, of all models"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    options = parser.parse_args(arguments)
    with real_servers() as found:
        result = measure(found, Load(options.models, options.pane_seconds, options.rate))
    print(orjson.dumps(result).decode() if options.json else "\n".join(lines(result)))
    return 0 if is_well(result) else 1


if __name__ == "__main__":
    sys.exit(main())
