"""The console command `driftline`; also `python -m driftline`."""

import os
import sys


def main() -> None:
    """Run the command line, or say which extra it needs.

    Ctrl-C (exit code 130) and a reader that has gone, such as `head` (1), end it without a word,
    while it still imports too.
    """
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is not flushed
        sys.exit(1)


def _run() -> None:
    from driftline.cli.extras import missing_extra

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
