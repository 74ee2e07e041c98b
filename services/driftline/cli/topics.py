"""`driftline topics init|check`: the topics of an installation and its first fact."""

from collections.abc import Mapping
from typing import Any

import typer

from driftline.cli.console import (
    Brokers,
    Json,
    Prefix,
    put,
    put_json,
    reached,
    this_person,
)
from driftline.cli.errors import CommandError, Findings
from driftline.core.fact_chain import Draft
from driftline.runtime.clock import SystemClock
from driftline.runtime.errors import DriftlineError
from driftline.runtime.installation import check_installation
from driftline.runtime.registry_log import RegistryWriter, installation, read_installation
from driftline.runtime.settings import Settings
from driftline.runtime.topic_admin import (
    FoundTopic,
    create_missing,
    faults,
    find_topics,
    partition_faults,
)
from driftline_schemas.registry import InstallationBody
from driftline_schemas.topics import REGISTRY, TOPICS

app = typer.Typer(help="Create and check the topics.", no_args_is_help=True)


@app.command()
def init(brokers: Brokers = None, prefix: Prefix = None, json: Json = False) -> None:
    """Create all topics and write down what every process must agree on. Safe to repeat."""
    settings = reached(brokers, prefix)
    created, is_new = init_topics(settings)
    if json:
        put_json({"prefix": settings.topic_prefix, "created": created, "installed": is_new})
    else:
        known = len(TOPICS) - len(created)
        put(f"{len(created)} topics created, {known} were there"
            f" ({settings.topic_prefix}.* at {settings.brokers}).")  # fmt: skip


@app.command()
def check(brokers: Brokers = None, prefix: Prefix = None, json: Json = False) -> None:
    """Compare the broker's topics with the table. Exit code 1 if something differs."""
    settings = reached(brokers, prefix)
    found = find_topics(settings)
    wrong = faults(settings, found)
    if REGISTRY.full_name(settings.topic_prefix) in found:
        try:
            check_installation(settings)
        except DriftlineError as error:
            wrong.append(str(error))
    if wrong:
        raise Findings(wrong)
    if json:
        put_json({"prefix": settings.topic_prefix, "topics": len(found), "faults": []})
    else:
        put(f"All {len(found)} topics are as they should be.")


def init_topics(settings: Settings, actor: str | None = None) -> tuple[list[str], bool]:
    """The topics that were created, and whether the installation is new.

    CommandError if it was set up with other settings; nothing is changed then.
    """
    found = find_topics(settings)
    if wrong := partition_faults(settings, found):
        raise CommandError(wrong[0])
    agreed = None
    if REGISTRY.full_name(settings.topic_prefix) in found:
        agreed = read_installation(settings.brokers, settings.topic_prefix)
        _refuse_other(agreed, _installation(settings, found))
    created = create_missing(settings, found)
    wanted = _installation(settings, find_topics(settings))
    _refuse_other(agreed, wanted)
    if agreed is not None:  # to write would fence the registry's owner
        return created, False
    return created, _install(settings, wanted, actor or this_person())


def _install(settings: Settings, wanted: InstallationBody, actor: str) -> bool:
    """Write the first fact; False if somebody else has just done so."""
    with RegistryWriter(settings.brokers, settings.topic_prefix, SystemClock().now) as writer:
        agreed = installation(writer.facts)
        _refuse_other(agreed, wanted)
        if agreed is None:
            writer.append([_draft(wanted, actor)])
    return agreed is None


def _installation(settings: Settings, found: Mapping[str, FoundTopic]) -> InstallationBody:
    return InstallationBody(
        label_horizon_ms=settings.label_horizon_ms,
        partitions={topic.name: topic.partitions for topic in TOPICS},
        topic_ids={name: topic.topic_id for name, topic in found.items()},
        pane_seconds=settings.pane_seconds,
        pane_grace_seconds=settings.pane_grace_seconds,
        bins_lead_seconds=settings.bins_lead_seconds,
        repeat_window_ms=settings.repeat_window_ms,
    )


def _draft(body: InstallationBody, actor: str) -> Draft:
    return Draft(
        command_id="installation",
        action="installation",
        actor=actor,
        reason="driftline topics init",
        body=body.model_dump(mode="json"),
    )


def _refuse_other(agreed: InstallationBody | None, wanted: InstallationBody) -> None:
    if agreed is None:
        return
    now: dict[str, Any] = wanted.model_dump()
    for field, before in agreed.model_dump(exclude={"topic_ids"}).items():
        if before is not None and before != now[field]:
            raise CommandError(
                f"This installation was set up with {field} {before}, not {now[field]}: such"
                " settings are fixed for its life, so use another DRIFTLINE_TOPIC_PREFIX."
            )
    for name, topic_id in agreed.topic_ids.items():
        if wanted.topic_ids.get(name) != topic_id:
            raise CommandError(
                f"Topic {name} was deleted and created again since this installation was set up:"
                " what the services know about its offsets is void, so use another prefix."
            )
