"""`driftline servers up|down|status`: a real Kafka and Redis on this machine, from wheels."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from driftline.cli.console import Json, put, put_json
from driftline.cli.errors import CommandError

app = typer.Typer(help="Run Kafka and Redis on this machine.", no_args_is_help=True)

Directory = Annotated[
    Path | None, typer.Option(help="Where their data and logs go (default: the user's cache).")
]


@app.command()
def up(directory: Directory = None, json: Json = False) -> None:
    """Start both, or find those that run already; they stay after this command."""
    with _sentences():
        from driftline import servers

        found = servers.up(directory)
    if json:
        put_json(_addresses(found))
        return
    put(f"export DRIFTLINE_BROKERS={found.brokers}")
    put(f"export DRIFTLINE_REDIS_URL={found.redis_url}")


@app.command()
def down(
    directory: Directory = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the data for the next up.")] = False,
    json: Json = False,
) -> None:
    """End both and remove their files."""
    with _sentences():
        from driftline import servers

        ran = servers.down(directory, keep=keep)
    if json:
        put_json({"ran": ran})
    else:
        put("The servers have ended." if ran else "No servers were running.")


@app.command()
def status(directory: Directory = None, json: Json = False) -> None:
    """Say what runs. Exit code 1 unless both run."""
    with _sentences():
        from driftline import servers

        found = servers.status(directory)
    if found is None:
        raise CommandError("No local servers are running: `driftline servers up` starts them.")
    pids = {"kafka_pid": found.kafka_pid, "redis_pid": found.redis_pid}
    if json:
        put_json({**_addresses(found), **pids})
    else:
        put(f"Kafka: {found.brokers} ({_life(found.kafka_pid)})")
        put(f"Redis: {found.redis_url} ({_life(found.redis_pid)})")
        put(f"Files: {found.directory}")
    if None in pids.values():
        raise typer.Exit(1)


def _addresses(found: Any) -> dict[str, Any]:
    return {
        "brokers": found.brokers,
        "redis_url": found.redis_url,
        "directory": str(found.directory),
    }


def _life(pid: int | None) -> str:
    return "down" if pid is None else f"process {pid}"


@contextmanager
def _sentences() -> Iterator[None]:
    from driftline.servers import ServersError

    try:
        yield
    except ServersError as error:
        raise CommandError(str(error)) from None
