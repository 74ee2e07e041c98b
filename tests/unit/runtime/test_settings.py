"""Are settings read from the environment as the contracts say?"""

from pathlib import Path

import pytest

from driftline.runtime.errors import DriftlineError
from driftline.runtime.settings import load


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("7d", 604_800_000), ("12h", 43_200_000), ("5m", 300_000), ("60s", 60_000), ("90", 90_000),
     ("250ms", 250)],
)  # fmt: skip
def test_durations_have_a_unit_or_are_seconds(
    monkeypatch: pytest.MonkeyPatch, text: str, milliseconds: int
) -> None:
    monkeypatch.setenv("DRIFTLINE_LABEL_HORIZON", text)
    assert load().label_horizon_ms == milliseconds


@pytest.mark.parametrize("text", ["a week", "-5s", "0"])
def test_another_duration_is_refused_with_the_variables_name(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("DRIFTLINE_REPEAT_WINDOW", text)
    with pytest.raises(DriftlineError, match=r"^DRIFTLINE_REPEAT_WINDOW: "):
        load()


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_ARTIFACTS_URL", "")
    assert load().artifacts_url is None


def test_the_grace_is_one_pane_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_PANE_SECONDS", "5s")
    assert load().pane_grace_seconds == 5
    monkeypatch.setenv("DRIFTLINE_PANE_GRACE_SECONDS", "2")
    assert load().pane_grace_seconds == 2


def test_a_secret_may_come_from_a_file_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("hush\n")
    monkeypatch.setenv("DRIFTLINE_PAGERDUTY_ROUTING_KEY_FILE", str(tmp_path / "key"))
    settings = load()
    assert settings.pagerduty_routing_key is not None
    assert settings.pagerduty_routing_key.get_secret_value() == "hush"
    assert "hush" not in repr(settings)


def test_a_secret_file_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_WEBHOOK_URL_FILE", "/nowhere/url")
    with pytest.raises(DriftlineError, match="DRIFTLINE_WEBHOOK_URL_FILE: No such file"):
        load()


def test_what_is_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_BROKERS", "a:1")
    assert load(brokers="b:2").brokers == "b:2"
    assert load(brokers=None).brokers == "a:1"
