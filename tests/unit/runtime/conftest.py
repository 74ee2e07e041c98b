"""Waiting is not what these tests are about, nor are a hundred tracebacks."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from driftline.runtime import applying, claims


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "REREAD_SECONDS", 0)
    monkeypatch.setattr(applying, "MAX_POISON_RUN", 5)
    monkeypatch.setattr(claims, "RETRY_SECONDS", 0)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()
