"""What a production app holds: `log_prediction` and `log_label` cost microseconds, never raise."""

import atexit
import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import count
from threading import Lock
from types import TracebackType
from typing import Any, Final, Self

from driftline.sdk.delivery import Delivery
from driftline.sdk.diagnosis import diagnose, losses
from driftline.sdk.events import Encoder
from driftline.sdk.quiet_log import QuietLog
from driftline.sdk.statistics import Statistics, Tally
from driftline.sdk.values import RefusedError, Task
from driftline_schemas.topics import LABELS, PREDICTIONS

EXIT_SECONDS: Final = 5.0
TASKS: Final = (None, "binary", "multiclass", "regression")


def _now() -> int:
    return time.time_ns() // 1_000_000


class Driftline:
    """A client for one process; share it between threads.

    Nothing here waits for Kafka except `flush`, `close` and `check`, and nothing raises: what
    cannot be sent is dropped, counted by reason (`statistics()`) and logged once a minute to the
    logger `driftline.sdk` (to stderr, if the app configures no logging). While Kafka is away up to
    `max_queued` records or `max_queued_kib` wait, at most `keep_seconds`; then new ones are dropped
    as `queue_full`.

    At exit the queue is flushed for at most five seconds. A forked process starts with an empty
    queue and zero counters at its first call; records queued before the fork stay the parent's.
    (Processes of `multiprocessing` skip exit handlers: call `close()` or use `with`.)

    `task` tells how to write classes: bool and int become "true", "1". `config` adds librdkafka
    settings, such as `security.protocol`.
    """

    def __init__(self, brokers: str, prefix: str = "driftline", *, task: Task | None = None,
                 producer_name: str | None = None, producer_version: str = "",
                 max_queued: int = 100_000, max_queued_kib: int = 65_536,
                 keep_seconds: float = 86_400, config: Mapping[str, Any] | None = None,
                 now: Callable[[], int] = _now) -> None:  # fmt: skip
        self._topics = (PREDICTIONS.full_name(prefix), LABELS.full_name(prefix))
        self._connection = {**(config or {}), "bootstrap.servers": brokers}
        self._config = {
            **self._connection,
            "queue.buffering.max.messages": max_queued,
            "queue.buffering.max.kbytes": max_queued_kib,
            "message.timeout.ms": int(keep_seconds * 1_000),
        }
        producer = {"name": producer_name, "version": producer_version} if producer_name else None
        self._encoder = Encoder(now, task if task in TASKS else None, producer)
        self._begin()
        with suppress(RefusedError):  # every event says it again
            self._open()
        if task not in TASKS:
            self._say("task", f"task {task!r} is none of binary, multiclass, regression: ignored")
        _CLIENTS.add(self)

    def log_prediction(self, *, model: str, model_version: str, features: Mapping[str, Any],
                       prediction: object, prediction_id: str | None = None,
                       predicted_at: datetime | str | int | None = None,
                       probabilities: Mapping[Any, float] | None = None,
                       segments: Mapping[str, Any] | None = None,
                       entity_id: object = None) -> str | None:  # fmt: skip
        """Queue a prediction; its id (made here if none is given), or None if it was dropped."""
        try:
            key, record = self._encoder.prediction(
                model=model, model_version=model_version, features=features,
                prediction_id=self._next_id() if prediction_id is None else prediction_id,
                prediction=prediction, predicted_at=predicted_at, probabilities=probabilities,
                segments=segments, entity_id=entity_id,
            )  # fmt: skip
            self._open().send(self._topics[0], key, record)
        except Exception as error:  # noqa: BLE001 - the app must not be broken by its monitoring
            self._drop(error)
            return None
        return key

    def log_label(self, *, model: str, prediction_id: str, label: object,
                  labelled_at: datetime | str | int | None = None,
                  source: str | None = None) -> bool:  # fmt: skip
        """Queue the ground truth of a prediction; False if it was dropped."""
        try:
            key, record = self._encoder.label(
                model=model, prediction_id=prediction_id, label=label, labelled_at=labelled_at,
                source=source,
            )  # fmt: skip
            self._open().send(self._topics[1], key, record)
        except Exception as error:  # noqa: BLE001 - the app must not be broken by its monitoring
            self._drop(error)
            return False
        return True

    def statistics(self) -> Statistics:
        """What became of the events so far."""
        return self._tally.read(self._delivery.queued() if self._delivery else 0)

    def flush(self, timeout: float = EXIT_SECONDS) -> int:
        """Wait at most `timeout` seconds until all is sent; how many records still wait."""
        return self._delivery.flush(timeout) if self._delivery else 0

    def close(self, timeout: float = EXIT_SECONDS) -> int:
        """Flush and accept nothing more; how many records were not sent."""
        _CLIENTS.discard(self)
        left = self._delivery.close(timeout) if self._delivery else 0
        if left:
            were = "record was" if left == 1 else "records were"
            self._say("left", f"{left} {were} not sent within {timeout:.2g} s at the end")
        return left

    def check(self, timeout: float = 5.0) -> list[str]:
        """What is wrong, a sentence each; empty if events arrive. Waits at most about `timeout`."""
        if self._unusable is not None:
            return [self._unusable]
        try:
            return [*diagnose(self._connection, *self._topics, timeout),
                    *losses(self.statistics())]  # fmt: skip
        except Exception as error:  # noqa: BLE001 - a diagnosis never raises either
            return [f"The check itself failed: {error}"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.close()

    def _begin(self) -> None:
        """Everything that a forked process must not share with its parent."""
        self._lock = Lock()
        self._log = QuietLog()
        self._tally = Tally()
        self._delivery: Delivery | None = None
        self._unusable: str | None = None
        start = secrets.token_hex(8)
        numbers = count()
        self._next_id: Callable[[], str] = lambda: f"{start}-{next(numbers):x}"

    def _open(self) -> Delivery:
        """The delivery of this process, made once; RefusedError if the settings are no good."""
        delivery = self._delivery
        if delivery is not None:
            return delivery
        with self._lock:
            if self._delivery is None and self._unusable is None:
                try:
                    self._delivery = Delivery(self._config, self._tally, self._log)
                except Exception as error:  # noqa: BLE001 - said by check(), counted per event
                    self._unusable = f"The settings cannot be used: {error}"
                    self._say("unusable", self._unusable)
            if self._delivery is None:
                raise RefusedError("unusable_settings", self._unusable or "")
            return self._delivery

    def _drop(self, error: Exception) -> None:
        reason = error.reason if isinstance(error, RefusedError) else "unexpected"
        self._tally.drop(reason)
        self._say(f"dropped {reason}", f"an event was dropped ({reason}): {error}")

    def _say(self, kind: str, sentence: str) -> None:
        self._log.say(kind, logging.WARNING, sentence)

    def _after_fork(self) -> None:
        _OF_THE_PARENT.append(self._delivery)
        self._begin()


# Clients that may still hold records; kept alive so that leaving a function loses none.
_CLIENTS: Final[set[Driftline]] = set()
# A librdkafka handle whose threads did not survive a fork must not be destroyed: it would wait.
_OF_THE_PARENT: Final[list[object]] = []


def _close_all() -> None:
    deadline = time.monotonic() + EXIT_SECONDS
    for client in tuple(_CLIENTS):
        client.close(max(0.1, deadline - time.monotonic()))


def _forget_the_parent() -> None:
    for client in _CLIENTS:
        client._after_fork()  # noqa: SLF001 - the same module


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_the_parent)
