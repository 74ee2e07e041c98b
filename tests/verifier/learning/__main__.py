"""Command line of the verifier of learning; exit code 1 when something is not exact."""

import argparse
import sys

from tests.verifier.learning.report import verify_learning


def main(arguments: list[str] | None = None) -> int:
    """Verifies one model and prints the report."""
    options = _parser().parse_args(arguments)
    report = verify_learning(options.brokers, options.prefix, options.model, options.files)
    print(report.json().decode() if options.json else report)
    return 0 if report.exact else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.verifier.learning", description=__doc__)
    parser.add_argument("brokers", help="host:port[,host:port]")
    parser.add_argument("prefix", help="of the topics")
    parser.add_argument("model")
    parser.add_argument("--files", required=True, help="folder of the artifact store")
    parser.add_argument("--json", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())
