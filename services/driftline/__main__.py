"""The console command `driftline`; also `python -m driftline`."""

import sys

from driftline.cli.extras import missing_extra


def main() -> None:
    """Run the command line, or say which extra it needs."""
    try:
        from driftline.cli.app import app
    except ModuleNotFoundError as error:
        if (sentence := missing_extra(error)) is None:
            raise
        sys.stderr.write(f"{sentence}\n")
        sys.exit(1)
    app()


if __name__ == "__main__":
    main()
