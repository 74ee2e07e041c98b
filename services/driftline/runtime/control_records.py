"""Tell a model's readers what the registry decided: control records in the model's journal."""

from collections.abc import Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from driftline.runtime.errors import DriftlineError
from driftline.runtime.kafka_log import SILENT
from driftline_schemas.codec import encode
from driftline_schemas.control import ControlEvent
from driftline_schemas.partitioner import partition_of
from driftline_schemas.topics import JOURNAL

SECONDS: Final = 15.0


def send_controls(brokers: str, prefix: str, controls: Sequence[ControlEvent]) -> None:
    """Write them by an ordinary producer: readers of the journal do not know transactions."""
    failed: list[str] = []

    def report(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failed.append(error.str())

    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "acks": "all",
            "enable.idempotence": True,
            "message.timeout.ms": int(SECONDS * 1_000),
            "message.max.bytes": 1_048_576,
            "on_delivery": report,
        },
        logger=SILENT,
    )
    for control in controls:
        partition = partition_of(control.model, JOURNAL.partitions)
        try:
            producer.produce(JOURNAL.full_name(prefix), encode(control), control.model, partition)
        except KafkaException as error:
            failed.append(error.args[0].str())
    left = producer.flush(SECONDS)
    if failed or left:
        why = failed[0] if failed else "no broker answers"
        raise DriftlineError(
            f"The fact is written, but its control records are not ({why}): run `apply` again."
        )
