"""What an offline recomputation says of an installation's topics."""

from time import sleep

from tests.integration.installation import Installation
from tests.verifier.compare import Report, verify
from tests.waiting import until

COUNTED_SECONDS = 6  # the last counts are sent within a pane, on a busy machine later


def report(made: Installation, horizon_seconds: int) -> Report:
    """The verifier's answer once everything is read, counted and told."""
    found: list[Report] = []

    def exact() -> Report | None:
        sleep(COUNTED_SECONDS)
        found[:] = [
            verify(
                made.servers.brokers,
                made.prefix,
                horizon_ms=horizon_seconds * 1_000,
                repeat_window_ms=3_600_000,
                pane_seconds=5,
            )
        ]
        return found[0] if found[0].exact else None

    made.wait_for_lag("joiner")
    return until(exact, lambda: str(found[0]), pause=0)
