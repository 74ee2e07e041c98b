"""The command line: one module per command."""

from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer

from driftline.cli import alerts, deadletters, servers, topics, verify
from driftline.cli.accept_drift import accept_drift
from driftline.cli.apply import apply
from driftline.cli.commands import commands
from driftline.cli.console import put
from driftline.cli.doctor import doctor
from driftline.cli.gate import gate
from driftline.cli.hold import hold, lift
from driftline.cli.lag import lag
from driftline.cli.models import models
from driftline.cli.one_sentence import OneSentence
from driftline.cli.promote import promote
from driftline.cli.rebuild import rebuild
from driftline.cli.replay_command import replay
from driftline.cli.retrain import retrain
from driftline.cli.rollback import rollback
from driftline.cli.run import run
from driftline.cli.status import status
from driftline.cli.versions import versions

PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

app = typer.Typer(
    cls=OneSentence,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Driftline keeps models in production honest.",
)


def _version(asked: bool) -> None:
    if asked:
        put(f"driftline {version('driftline')}")
        raise typer.Exit


@app.callback()
def driftline(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Say which release this is.", callback=_version, is_eager=True
        ),
    ] = False,
    _debug: Annotated[
        bool, typer.Option("--debug", help="Show where an unexpected error came from.")
    ] = False,
) -> None:
    """Driftline keeps models in production honest."""


for command in (apply, run, replay, models, versions, gate, promote, rollback, hold, lift, retrain):
    app.command()(command)
app.command(name="accept-drift")(accept_drift)
app.command()(commands)
for look in (status, lag, doctor, rebuild):
    app.command()(look)
app.add_typer(verify.app, name="verify")
app.add_typer(topics.app, name="topics")
app.add_typer(alerts.app, name="alerts")
app.add_typer(deadletters.app, name="deadletters")
app.add_typer(servers.app, name="servers")


@app.command(context_settings=PASSED_ON)
def demo(context: typer.Context) -> None:
    """Run the whole loop on real data, from the servers to an alert that resolves."""
    # Looked up by name: the demo's packages are heavy, and its options are its own business.
    command = import_module("driftline.demo.command").demo
    single = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    single.command()(command)
    single(args=context.args, prog_name="driftline demo")
