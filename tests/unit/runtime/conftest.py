"""Waiting is not what these tests are about, nor are a hundred tracebacks."""

import pytest

from driftline.runtime import applying, claims


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "REREAD_SECONDS", 0)
    monkeypatch.setattr(applying, "MAX_POISON_RUN", 5)
    monkeypatch.setattr(claims, "RETRY_SECONDS", 0)
