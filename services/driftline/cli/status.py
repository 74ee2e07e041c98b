"""`driftline status`: one screen that says whether all is well."""

from time import monotonic, sleep
from typing import Annotated, Any

import typer
from rich.live import Live

from driftline.cli.console import Brokers, Json, Prefix, put_json, screen, settings_of, spinning
from driftline.cli.looking import look
from driftline.cli.overview import Overview
from driftline.cli.status_screen import drawn
from driftline.runtime.settings import Settings


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=1.0)] = 5.0,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Show servers, roles, incidents, dead letters and models. Exit code 1: something is down."""
    settings = settings_of(brokers, prefix)
    if watch:
        _watch(settings, every, as_json=json)
        return
    with spinning("Looking twice, two seconds apart"):
        seen = look(settings)
    if json:
        put_json(seen.as_json())
    else:
        screen().print(drawn(seen))
    if seen.down:
        raise typer.Exit(1)


def _watch(settings: Settings, every: float, *, as_json: bool) -> None:
    """Until Ctrl-C; where nobody looks, a screen or a line of JSON each time."""
    console, seen = screen(), None
    try:
        if as_json or not console.is_terminal:
            while True:
                seen = _next(settings, seen, every)
                put_json(seen.as_json()) if as_json else console.print(drawn(seen))
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                seen = _next(settings, seen, every)
                live.update(drawn(seen), refresh=True)
    except KeyboardInterrupt:
        raise typer.Exit(1 if seen and seen.down else 0) from None


def _next(settings: Settings, seen: Overview | None, every: float) -> Overview:
    """The next look; rates are those since the last one."""
    if seen is None or not seen.roles:
        if seen is not None:
            sleep(every)
        return look(settings)
    before: dict[str, Any] = {role: each.now for role, each in seen.roles.items()}
    newest = max(each.at for each in before.values())
    sleep(max(0.0, newest + every - monotonic()))
    return look(settings, before)
