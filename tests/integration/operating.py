"""What the tests of the operators' commands share: commands, events, and steady traffic."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import orjson
from confluent_kafka import Producer
from typer.testing import CliRunner, Result

from driftline.cli.app import app
from driftline.runtime.clock import SystemClock
from driftline_schemas.fields import format_time
from driftline_schemas.partitioner import partition_of
from driftline_schemas.topics import LABELS, PREDICTIONS, Topic
from tests.integration.installation import Installation
from tests.waiting import PATIENCE_SECONDS


def invoke(*arguments: str, code: int | None = 0) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert code in (None, result.exit_code), result.output
    assert "Traceback" not in result.output
    return result


def lines(*arguments: str, code: int | None = 0) -> list[dict[str, Any]]:
    """The JSON lines that a command prints."""
    told = invoke(*arguments, "--json", code=code).stdout
    return [orjson.loads(line) for line in told.splitlines()]


def prediction(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "prediction_id": name,
        "model": "churn",
        "model_version": "1",
        "predicted_at": format_time(SystemClock().now()),
        "features": {"age": 1.0},
        "prediction": "1",
        "producer": {"name": "shop", "version": "1.4"},
        **fields,
    }


def label(name: str, **fields: Any) -> dict[str, Any]:
    now = format_time(SystemClock().now())
    return {"prediction_id": name, "model": "churn", "label": "1", "labelled_at": now, **fields}


class Sender:
    """Puts events where they belong, or elsewhere."""

    def __init__(self, made: Installation) -> None:
        self._made = made
        self._producer = Producer({"bootstrap.servers": made.servers.brokers, "log_level": 0})

    def send(self, topic: Topic, *events: Mapping[str, Any], misplace: int = 0) -> None:
        for event in events:
            name = event["prediction_id"]
            place = (partition_of(name, topic.partitions) + misplace) % topic.partitions
            self._produce(topic, orjson.dumps(event), name, place)
        assert self._producer.flush(PATIENCE_SECONDS) == 0

    def put(self, topic: Topic, value: bytes, key: str, place: int) -> None:
        self._produce(topic, value, key, place)
        assert self._producer.flush(PATIENCE_SECONDS) == 0

    def _produce(self, topic: Topic, value: bytes, key: str, place: int) -> None:
        self._producer.produce(topic.full_name(self._made.prefix), value, key=key, partition=place)

    def pairs(self, tag: str, n: int) -> None:
        names = [f"{tag}-{i}" for i in range(n)]
        self.send(PREDICTIONS, *map(prediction, names))
        self.send(LABELS, *map(label, names))


@contextmanager
def traffic(sender: Sender, tag: str) -> Iterator[None]:
    """Some pairs a second, for as long as the block runs."""
    stop = Event()

    def work() -> None:
        turn = 0
        while not stop.wait(0.3):
            sender.pairs(f"{tag}-{turn}", 3)
            turn += 1

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
