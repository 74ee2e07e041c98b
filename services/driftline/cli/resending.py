"""Send dead letters back to where they came from, with their lineage in a header.

What goes to `predictions` or `labels` gets the key and the partition of its own prediction id, so a
misplaced one lies right this time. What was sent, or would be refused again, goes on demand only.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from driftline.cli.errors import CommandError
from driftline.cli.letters import Letter
from driftline.cli.resent import FROM, Headers, Resent, note_of
from driftline.runtime.kafka_log import SILENT
from driftline.runtime.settings import Settings
from driftline_schemas.partitioner import partition_of
from driftline_schemas.topics import DEAD_LETTERS, LABELS, PREDICTIONS, TOPICS

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
class Kept:
    """A letter that is not sent, and why: its record was sent already, `--again` would send it, or
    nothing can."""

    letter: Letter
    why: str
    fate: Literal["done", "held", "stuck"]


def plan(
    letters: Sequence[Letter], prefix: str, resent: Resent | None = None, *, again: bool = False
) -> tuple[list[Resend], list[Kept]]:
    """What is sent, and what is not; `again` takes what was sent or refused for itself too."""
    known = {topic.full_name(prefix) for topic in TOPICS}
    chosen = {letter.place: letter for letter in letters}.values()
    origins = {letter.origin for letter in chosen}
    planned: list[Resend] = []
    kept: list[Kept] = []
    for letter in chosen:
        if why := _obstacle(letter, known):
            kept.append(Kept(letter, why, "stuck"))
            continue
        each = _destined(letter, prefix)
        reason = _reason_to_keep(each, resent or Resent(), origins, again=again)
        planned.append(each) if reason is None else kept.append(reason)
    return planned, kept


def _destined(letter: Letter, prefix: str) -> Resend:
    told = letter.told
    inputs = {topic.full_name(prefix): topic.partitions for topic in (PREDICTIONS, LABELS)}
    name = letter.body.get("prediction_id")
    if told.topic in inputs and isinstance(name, str):
        return Resend(letter, name.encode(), partition_of(name, inputs[told.topic]))
    return Resend(letter, None if told.key is None else told.key.encode(), told.partition)


def _reason_to_keep(each: Resend, resent: Resent, origins: set[str], *, again: bool) -> Kept | None:
    letter = each.letter
    copies = resent.copies(letter)
    if copies & origins:  # sent on from copy to copy, not doubled each time
        return Kept(letter, "sent again already, and its copy is among the chosen", "done")
    if again:
        return None
    if copies:
        return Kept(letter, "sent again already", "done")
    if resent.is_copy(letter):
        return Kept(letter, "refused once more when it was sent again", "held")
    if each.is_refused_again:
        return Kept(letter, "refused for itself, and by the same version once more", "held")
    return None


def resend(settings: Settings, planned: Sequence[Resend], advance: Callable[[int], None]) -> None:
    """Send them, and note each that has arrived. CommandError if the broker has not all of it."""
    sending = _Sending(settings.brokers, DEAD_LETTERS.full_name(settings.topic_prefix))
    try:
        for each in planned:
            sending.send(each)
            advance(1)
    finally:  # Ctrl-C too
        left = sending.finish()
    failed = sending.failed
    if failed or left:
        why = failed[0] if failed else "no broker answers"
        raise CommandError(
            f"{len(planned) - sending.noted:,} of {len(planned):,} were not sent, or not noted as"
            f" sent ({why}): run it again, what was noted is not sent twice."
        )


@dataclass(slots=True)
class _Sending:
    """Sends letters; beside each that the broker has, its note."""

    brokers: str
    notes: str  # the topic `dead-letters`
    failed: list[str] = field(default_factory=list)
    noted: int = 0
    _arrived: deque[tuple[Letter, str]] = field(default_factory=deque)
    _producer: Producer = field(init=False)

    def __post_init__(self) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": self.brokers,
                "acks": "all",
                "enable.idempotence": True,
                "message.timeout.ms": int(SECONDS * 1_000),
                "message.max.bytes": 1_048_576,
            },
            logger=SILENT,
        )

    def send(self, each: Resend) -> None:
        letter = each.letter
        self._produce(
            letter.told.topic, letter.value, each.key, each.partition,
            [(FROM, letter.origin.encode())], partial(self._sent, letter),
        )  # fmt: skip
        self._note()

    def finish(self) -> int:
        """How many records are still on their way after 30 s."""
        left = self._producer.flush(SECONDS)
        self._note()
        return left or self._producer.flush(SECONDS)

    def _note(self) -> None:
        while self._arrived:
            letter, copy = self._arrived.popleft()
            headers = note_of(letter, copy)
            self._produce(self.notes, None, None, letter.partition, headers, self._was_noted)

    def _sent(self, letter: Letter, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failed.append(error.str())
        else:
            copy = f"{message.topic()}/{message.partition()}/{message.offset()}"
            self._arrived.append((letter, copy))

    def _was_noted(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self.failed.append(error.str())
        else:
            self.noted += 1

    def _produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        headers: Headers,
        report: Callable[[KafkaError | None, Message], None],
    ) -> None:
        while True:
            try:
                self._producer.produce(
                    topic, value, key, partition, headers=headers, on_delivery=report
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                self.failed.append(error.args[0].str())
                return
            else:
                self._producer.poll(0)
                return


def _obstacle(letter: Letter, known: set[str]) -> str | None:
    if letter.told.topic not in known:
        return f"{letter.told.topic} is no topic of this installation"
    if letter.value is None:
        return "it had no value"
    if not letter.is_whole:
        return f"only {len(letter.value):,} of its {letter.told.length:,} bytes were kept"
    return None
