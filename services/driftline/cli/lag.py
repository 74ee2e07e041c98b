"""`driftline lag`: how many records has each role not committed yet, partition by partition?"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from driftline.cli.console import Brokers, Json, Prefix, put, put_json, reached, screen
from driftline.cli.letters import short_name
from driftline.cli.role_progress import by_topic
from driftline.runtime.group_looks import GroupLooks, RoleLook
from driftline.runtime.ports import TP
from driftline_schemas.topics import ROLES


class GroupRole(StrEnum):
    """The roles whose progress a consumer group tells."""

    joiner = "joiner"
    monitor = "monitor"
    learner = "learner"
    registry = "registry"
    alerter = "alerter"


def lag(
    role: Annotated[GroupRole | None, typer.Option(help="Only this one.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Partitions without a lag too; JSON has them always.")
    ] = False,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Show the lag of each role, topic and partition."""
    settings = reached(brokers, prefix)
    roles = [role.value] if role else ROLES
    looks = GroupLooks(settings.brokers, settings.topic_prefix).look(roles)
    if json:
        for row in _rows(looks):
            put_json(row)
        return
    screen().print(_table(looks, every=every))
    behind = [look.role for look in looks.values() if look.total_lag and look.has_run]
    put(f"Behind: {', '.join(behind)}." if behind else "Nobody is behind.")


def _rows(looks: Mapping[str, RoleLook]) -> Iterator[dict[str, Any]]:
    for look in looks.values():
        for tp in look.ends:
            yield {
                "role": look.role,
                "topic": tp.topic,
                "partition": tp.partition,
                "lag": look.lag(tp),
                "committed": look.committed.get(tp),
                "begin": look.begins[tp],
                "end": look.ends[tp],
            }


def _table(looks: Mapping[str, RoleLook], *, every: bool) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="dim")
    for name in ("role", "topic"):
        table.add_column(name)
    for name in ("partition", "lag", "committed", "end"):
        table.add_column(name, justify="right")
    for look in looks.values():
        for topic, total in by_topic(look).items():
            if not look.has_run:
                table.add_row(look.role, short_name(topic), "all", "-", "never", "", style="dim")
                continue
            style = "bold" if total else ""
            table.add_row(look.role, short_name(topic), "all", f"{total:,}", "", "", style=style)
            for tp in look.ends:
                if tp.topic == topic and (every or look.lag(tp)):
                    table.add_row("", "", *_partition(look, tp))
    return table


def _partition(look: RoleLook, tp: TP) -> tuple[str, str, str, str]:
    committed = look.committed.get(tp)
    place = "-" if committed is None else f"{committed:,}"
    return str(tp.partition), f"{look.lag(tp):,}", place, f"{look.ends[tp]:,}"
