"""What every process of an installation must agree on, as the registry's first fact says it."""

from driftline.runtime.errors import DriftlineError
from driftline.runtime.registry_log import read_installation
from driftline.runtime.settings import Settings
from driftline_schemas.registry import InstallationBody


def check_installation(settings: Settings) -> None:
    """DriftlineError when this process would count or join otherwise than the others."""
    agreed = read_installation(settings.brokers, settings.topic_prefix)
    if agreed is None:
        raise DriftlineError("the installation is not set up: run `driftline topics init` once")
    for name, theirs, ours in compared(agreed, settings):
        if theirs is not None and theirs != ours:
            raise DriftlineError(
                f"DRIFTLINE_{name} is {ours} here, but this installation was set up with {theirs}:"
                " give every process the same value"
            )


def compared(agreed: InstallationBody, settings: Settings) -> list[tuple[str, int | None, int]]:
    """Name, what the installation was set up with (None: not recorded), and our own value."""
    return [
        ("LABEL_HORIZON (ms)", agreed.label_horizon_ms, settings.label_horizon_ms),
        ("REPEAT_WINDOW (ms)", agreed.repeat_window_ms, settings.repeat_window_ms),
        ("PANE_SECONDS", agreed.pane_seconds, settings.pane_seconds),
        ("PANE_GRACE_SECONDS", agreed.pane_grace_seconds, settings.pane_grace_seconds),
        ("BINS_LEAD_SECONDS", agreed.bins_lead_seconds, settings.bins_lead_seconds),
    ]
