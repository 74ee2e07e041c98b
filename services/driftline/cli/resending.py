"""Send dead letters back to where they came from, with their lineage in a header.

What goes to `predictions` or `labels` gets the key and the partition of its own prediction id, so a
misplaced one lies right this time. A second resend is a repeat: the joiner drops it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from driftline.cli.errors import CommandError
from driftline.cli.letters import Letter
from driftline.runtime.kafka_log import SILENT
from driftline.runtime.settings import Settings
from driftline_schemas.partitioner import partition_of
from driftline_schemas.topics import LABELS, PREDICTIONS, TOPICS

LINEAGE: Final = "driftline-resent-from"  # topic/partition/offset of the refused record
SECONDS: Final = 30.0
# Whatever reads them next will see other bytes in their place, or other rules.
MENDED_BY_PLACE: Final = ("misplaced", "poison")


@dataclass(frozen=True, slots=True)
class Resend:
    """A letter, and where it goes."""

    letter: Letter
    key: bytes | None
    partition: int

    @property
    def is_refused_again(self) -> bool:
        """Whether the same rules would refuse the same bytes."""
        return self.letter.told.reason not in MENDED_BY_PLACE


@dataclass(frozen=True, slots=True)
class Refused:
    """A letter that cannot be sent, and why."""

    letter: Letter
    why: str


def plan(letters: Sequence[Letter], prefix: str) -> tuple[list[Resend], list[Refused]]:
    """What can be sent, and what cannot."""
    known = {topic.full_name(prefix) for topic in TOPICS}
    inputs = {topic.full_name(prefix): topic.partitions for topic in (PREDICTIONS, LABELS)}
    planned: list[Resend] = []
    refused: list[Refused] = []
    for letter in letters:
        told = letter.told
        if why := _obstacle(letter, known):
            refused.append(Refused(letter, why))
            continue
        name = letter.body.get("prediction_id")
        if told.topic in inputs and isinstance(name, str):
            place = partition_of(name, inputs[told.topic])
            planned.append(Resend(letter, name.encode(), place))
        else:
            key = None if told.key is None else told.key.encode()
            planned.append(Resend(letter, key, told.partition))
    return planned, refused


def resend(settings: Settings, planned: Sequence[Resend], advance: Callable[[int], None]) -> None:
    """Send them. CommandError if the broker has not all of them."""
    failed: list[str] = []

    def report(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failed.append(error.str())

    producer = Producer(
        {
            "bootstrap.servers": settings.brokers,
            "acks": "all",
            "enable.idempotence": True,
            "message.timeout.ms": int(SECONDS * 1_000),
            "message.max.bytes": 1_048_576,
            "on_delivery": report,
        },
        logger=SILENT,
    )
    for each in planned:
        _produce(producer, each, failed)
        advance(1)
    left = producer.flush(SECONDS)
    if failed or left:
        why = failed[0] if failed else "no broker answers"
        lost = len(failed) or left
        raise CommandError(
            f"{lost} of {len(planned)} were not sent ({why}): run it again, what was sent twice is"
            " dropped as a repeat."
        )


def _produce(producer: Producer, each: Resend, failed: list[str]) -> None:
    letter = each.letter
    while True:
        try:
            producer.produce(
                letter.told.topic,
                letter.value,
                each.key,
                each.partition,
                headers=[(LINEAGE, letter.origin.encode())],
            )
        except BufferError:
            producer.poll(0.1)
        except KafkaException as error:
            failed.append(error.args[0].str())
            return
        else:
            producer.poll(0)
            return


def _obstacle(letter: Letter, known: set[str]) -> str | None:
    if letter.told.topic not in known:
        return f"{letter.told.topic} is no topic of this installation"
    if letter.value is None:
        return "it had no value"
    if not letter.is_whole:
        return f"only {len(letter.value):,} of its {letter.told.length:,} bytes were kept"
    return None
