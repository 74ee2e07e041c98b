"""Command line of the verifier; exit code 1 when the topics are not exact."""

import argparse
import sys

from tests.verifier.compare import verify
from tests.verifier.times import millis


def main(arguments: list[str] | None = None) -> int:
    """Verifies one installation and prints the report."""
    options = _parser().parse_args(arguments)
    report = verify(
        options.brokers,
        options.prefix,
        horizon_ms=options.horizon_ms,
        repeat_window_ms=options.repeat_window_ms,
        pane_seconds=options.pane_seconds,
        expect_unmatched_until=options.expect_unmatched_until,
    )
    print(report)
    return 0 if report.exact else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.verifier", description=__doc__)
    parser.add_argument("--brokers", required=True, help="host:port[,host:port]")
    parser.add_argument("--prefix", default="driftline", help="of the topics")
    parser.add_argument("--horizon-ms", type=int, default=7 * 86_400_000)
    parser.add_argument("--repeat-window-ms", type=int, default=3_600_000)
    parser.add_argument("--pane-seconds", type=int, default=60)
    parser.add_argument(
        "--expect-unmatched-until",
        type=millis,
        help="RFC 3339; halves whose time was over by then must be reported",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
