"""`driftline run ROLE`: the one way to start a service."""

from enum import StrEnum
from importlib import import_module
from typing import Annotated

import typer

from driftline.cli.errors import CommandError
from driftline.runtime import settings as configuration


class Role(StrEnum):
    """The services, each a process of its own."""

    joiner = "joiner"
    monitor = "monitor"
    learner = "learner"
    registry = "registry"
    api = "api"
    scorer = "scorer"
    alerter = "alerter"


def run(role: Annotated[Role, typer.Argument(help="Which service.")]) -> None:
    """Run a service until SIGTERM. Its settings are the variables DRIFTLINE_...

    Exit code 1: it stopped by itself, for a reason in its log.
    """
    settings = configuration.load()
    name = f"driftline.{role}.app"
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise CommandError(f"This version has no {role}.") from None
    if hasattr(module, "run"):  # it consumes no group's partitions
        raise typer.Exit(module.run(settings))
    from driftline.runtime.service import run as run_service

    raise typer.Exit(run_service(role, module.build, settings))
