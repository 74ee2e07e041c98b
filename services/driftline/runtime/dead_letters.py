"""Refused records, each with its reason, its position and its own bytes."""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version

from driftline.runtime import metrics
from driftline.runtime.ports import TP, Outputs, Record
from driftline_schemas.codec import encode
from driftline_schemas.dead_letters import KEPT_BYTES, DeadLetter, Reason
from driftline_schemas.topics import DEAD_LETTERS

VERSION = version("driftline")


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Writes dead letters of one service."""

    outputs: Outputs
    prefix: str
    service: str

    def put(self, reason: Reason, sentence: str, tp: TP, record: Record) -> None:
        """Queue a dead letter. It keeps at most 256 KiB, so it can never be too large itself."""
        metrics.DEAD_LETTERS.labels(reason).inc()
        value = record.value
        key = None if record.key is None else record.key[:1_024].decode(errors="replace")
        letter = DeadLetter(
            reason=reason,
            sentence=sentence[:1_024],
            topic=tp.topic,
            partition=tp.partition,
            offset=record.offset,
            service=self.service,
            version=VERSION,
            key=key,
            value=None if value is None else b64encode(value[:KEPT_BYTES]).decode(),
            sha256=sha256(value or b"").hexdigest(),
            length=len(value or b""),
        )
        self.outputs.produce(DEAD_LETTERS.full_name(self.prefix), encode(letter), key=key)

    def poison(self, tp: TP, record: Record, error: Exception) -> None:
        """The record makes our own handler raise: a bug of ours or a record nobody foresaw."""
        self.put("poison", f"the handler raised {type(error).__name__}: {error}", tp, record)
