"""Waiting is not what these tests are about."""

import pytest

from driftline.runtime import applying, claims


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "REREAD_SECONDS", 0)
    monkeypatch.setattr(claims, "RETRY_SECONDS", 0)
