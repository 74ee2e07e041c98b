"""The registry as a command sees it: its state, and one model of it."""

from driftline.cli.errors import CommandError, close_to, ended
from driftline.core.registry.models import ModelState
from driftline.core.registry.state import RegistryState
from driftline.runtime.registry_log import iterate_registry
from driftline.runtime.settings import Settings


def registry_state(settings: Settings) -> RegistryState:
    """The fold over all facts. CommandError if the installation is not set up."""
    state = RegistryState()
    for fact in iterate_registry(settings.brokers, settings.topic_prefix):
        state.apply(fact)
    return installed(state)


def installed(state: RegistryState) -> RegistryState:
    """The state, if it is one of an installation."""
    if state.installation is None:
        raise CommandError("The installation is not set up: run `driftline topics init`.")
    return state


def known_model(state: RegistryState, name: str) -> ModelState:
    """The model of this name; CommandError with the nearest one otherwise."""
    if name not in state.models:
        hint = close_to(name, list(state.models)) or ": see `driftline models`"
        raise CommandError(ended(f"No spec of {name!r} is applied{hint}"))
    return state.models[name]
