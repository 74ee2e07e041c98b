"""Dead letters as commands see them: where each lies, its own bytes, and which are wanted."""

from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, get_args

import orjson

from driftline.cli.errors import CommandError, close_to
from driftline.runtime.group_looks import GroupLooks, all_of
from driftline.runtime.log_reading import read_stretches, time_of
from driftline.runtime.ports import TP
from driftline.runtime.settings import Settings
from driftline_schemas.codec import UnreadableEvent, decode
from driftline_schemas.dead_letters import DeadLetter, Reason
from driftline_schemas.fields import format_time
from driftline_schemas.topics import DEAD_LETTERS, TOPICS

UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class Letter:
    """A dead letter and its place in the topic `dead-letters`."""

    partition: int
    offset: int
    at: int  # ms
    told: DeadLetter

    @property
    def place(self) -> str:
        """How commands name it: `partition:offset`."""
        return f"{self.partition}:{self.offset}"

    @property
    def origin(self) -> str:
        """The refused record's own place."""
        return f"{self.told.topic}/{self.told.partition}/{self.told.offset}"

    @cached_property
    def value(self) -> bytes | None:
        """The record's bytes, as many as were kept."""
        return None if self.told.value is None else b64decode(self.told.value)

    @property
    def is_whole(self) -> bool:
        """Whether all of its bytes were kept."""
        return len(self.value or b"") == self.told.length

    @cached_property
    def body(self) -> Mapping[str, Any]:
        """What can be read of it; empty where it is no JSON object."""
        with suppress(orjson.JSONDecodeError):
            body = orjson.loads(self.value or b"")
            if isinstance(body, dict):
                return body
        return {}

    @property
    def model(self) -> str:
        """The model that it names."""
        return _said(self.body.get("model")) or UNKNOWN

    @property
    def producer(self) -> str:
        """The program that it names: `name version`, or the source of a label."""
        producer = self.body.get("producer")
        if isinstance(producer, dict):
            name = _said(producer.get("name")) or UNKNOWN
            return f"{name} {_said(producer.get('version'))}".strip()
        return _said(self.body.get("source")) or UNKNOWN

    @property
    def row(self) -> dict[str, Any]:
        """For programs: everything but the bytes."""
        return {
            "place": self.place,
            "at": format_time(self.at),
            "origin": self.origin,
            "model": self.model,
            "producer": self.producer,
            **self.told.model_dump(mode="json", exclude={"value"}),
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters are meant; None leaves a thing open."""

    reason: str | None = None
    topic: str | None = None  # its short or its full name
    model: str | None = None
    service: str | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether the letter is one of them."""
        told = letter.told
        return (
            self.reason in (None, told.reason)
            and self.service in (None, told.service)
            and self.model in (None, letter.model)
            and (self.topic is None or self.topic in (told.topic, short_name(told.topic)))
        )


def wanted_of(
    reason: str | None, topic: str | None, model: str | None, service: str | None
) -> Wanted:
    """As the options say; CommandError for a reason or topic that does not exist."""
    topics = [each.name for each in TOPICS]
    for option, value, known in (
        ("reason", reason, list(get_args(Reason))),
        ("topic", topic and short_name(topic), topics),
    ):
        if value is not None and value not in known:
            hint = close_to(value, known) or f": it is one of {', '.join(known)}."
            raise CommandError(f"No {option} is called {value!r}{hint}")
    return Wanted(reason, topic, model, service)


def short_name(topic: str) -> str:
    """`labels` of `driftline.labels.v1`."""
    return topic.removesuffix(".v1").rpartition(".")[2]


def stretches_since(settings: Settings, since: int) -> dict[TP, tuple[int, int]]:
    """What was written to `dead-letters` since then (ms)."""
    groups = GroupLooks(settings.brokers, settings.topic_prefix)
    tps = all_of(DEAD_LETTERS, settings.topic_prefix)
    first, ends = groups.since(tps, since), groups.ends(tps)
    return {tp: (first[tp], ends[tp]) for tp in tps}


def letters(settings: Settings, stretches: Mapping[TP, tuple[int, int]]) -> Iterator[Letter]:
    """Those that lie there; what is no dead letter is left out."""
    for message in read_stretches(settings.brokers, stretches):
        with suppress(UnreadableEvent):
            told = decode(DeadLetter, message.value())
            yield Letter(message.partition() or 0, message.offset() or 0, time_of(message), told)


def letter_at(settings: Settings, place: str) -> Letter:
    """The one at `partition:offset`; CommandError if there is none."""
    partition, colon, offset = place.partition(":")
    if not (colon and partition.isdecimal() and offset.isdecimal() and len(offset) < 19):
        raise CommandError(f"{place!r} is no place: write PARTITION:OFFSET, such as 2:17.")
    first, last = int(offset), int(offset) + 1
    groups = GroupLooks(settings.brokers, settings.topic_prefix)
    tps = all_of(DEAD_LETTERS, settings.topic_prefix)
    begins, ends = groups.begins(tps), groups.ends(tps)
    tp = TP(tps[0].topic, int(partition))
    if tp in ends and begins[tp] <= first and last <= ends[tp]:
        for letter in letters(settings, {tp: (first, last)}):
            return letter
    raise CommandError(
        f"No dead letter lies at {place}: `driftline deadletters list` shows their places."
    )


def _said(value: object) -> str:
    return value[:128] if isinstance(value, str) else ""
