"""JSON logs: one line is one event with keys; floods are thinned, control characters removed."""

import logging
import sys
import time
from collections.abc import MutableMapping
from typing import Any

import structlog

# Faust names its services' logger after the module of their class, so our subclass is among them.
LIBRARIES = ("aiokafka", "faust", "mode", "kafka", "asyncio", "driftline.runtime.faust_consumer")
FLOOD_SECONDS = 10.0
# Local variables stay out of the log: they hold people's data, and secrets.
TRACEBACKS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)


class FloodFilter(logging.Filter):
    """Lets each message through once in ten seconds (aiokafka: 65 lines/s in outages)."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        template = f"{record.name}:{record.msg}"[:200]
        if now - self._last.get(template, -FLOOD_SECONDS) < FLOOD_SECONDS:
            return False
        if len(self._last) > 1_000:
            self._last.clear()
        self._last[template] = now
        return True


def _clean(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Untrusted text must not start a line of its own or move a terminal's cursor."""
    return {key: _printable(value) if isinstance(value, str) else value
            for key, value in event.items()}  # fmt: skip


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def configure(role: str, level: str = "INFO") -> None:
    """Send everything that the process logs to stderr as JSON."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(TRACEBACKS),
        _clean,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(role=role)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    flood = FloodFilter()
    handler.addFilter(lambda record: _loud_enough(record, flood))


def _loud_enough(record: logging.LogRecord, flood: FloodFilter) -> bool:
    """Our own events pass; the libraries' must be warnings, and not repeated at once."""
    if not record.name.startswith(LIBRARIES):
        return True
    return record.levelno >= logging.WARNING and flood.filter(record)
