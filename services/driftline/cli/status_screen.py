"""The screen of `driftline status`, made for 80 columns."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from driftline.cli.alerts import age
from driftline.cli.console import counted, visible
from driftline.cli.overview import Overview
from driftline.cli.role_progress import Progress
from driftline.core.registry.models import ModelState
from driftline_schemas.fields import format_time

OK, BAD, DIM, HEAD = "green", "bold red", "dim", "bold"


def drawn(seen: Overview) -> RenderableType:
    """All of it, what is down first."""
    return Group(*_parts(seen))


def size(number: float) -> str:
    """`12.3 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1_000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1_000
    return f"{number:.1f} TB"


def plain_table() -> Table:
    """Columns without lines."""
    return Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)


def _parts(seen: Overview) -> Iterator[RenderableType]:
    verdict = Text("all is well", OK) if not seen.down else Text("something is down", BAD)
    at = format_time(seen.at)[:19].replace("T", " ")
    yield Text.assemble((f"{seen.prefix}", HEAD), f" at {at} UTC: ", verdict)
    for sentence in seen.down:
        yield Text(f"  {sentence}", "red")
    yield from _section("Servers", _servers(seen))
    if seen.roles:
        yield from _section("Roles", _roles(seen))
        yield from _section("Incidents", _incidents(seen))
        yield from _section("Dead letters in the last hour", _dead_letters(seen))
    if seen.registry is not None:
        yield from _section("Models", _models(seen))


def _section(title: str, content: RenderableType) -> Iterator[RenderableType]:
    yield Text(f"\n{title}", HEAD)
    yield content


def _servers(seen: Overview) -> RenderableType:
    table = plain_table()
    if seen.broker:
        up = sum(not each.trouble for each in seen.cluster)
        brokers = counted(len(seen.cluster), "broker")
        told = f"{up} of {brokers}, {seen.topics} of {seen.topics_wanted} topics"
        table.add_row(f"  Kafka {seen.broker.release}", seen.brokers, told)
    else:
        table.add_row(Text("  Kafka", BAD), seen.brokers, Text("down", BAD))
    if redis := seen.redis:
        used = size(redis.used_bytes) + (
            f" of {size(redis.limit_bytes)}" if redis.limit_bytes else " used"
        )
        table.add_row(f"  Redis {redis.version}", seen.redis_place, used)
    else:
        table.add_row(Text("  Redis", BAD), seen.redis_place, Text("down", BAD))
    return table


def _roles(seen: Overview) -> RenderableType:
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style=DIM)
    table.add_column("")
    for name in ("processes", "lag", "coming/s", "done/s"):
        table.add_column(name, justify="right")
    for progress in seen.roles.values():
        table.add_row(*_role(seen, progress))
    return table


def _role(seen: Overview, progress: Progress) -> Iterator[RenderableType]:
    members = len(progress.now.members)
    style = "" if members else BAD if seen.is_needed(progress.role) else DIM
    yield Text(f"  {progress.role}", style)
    yield Text(str(members) if members else "none", style)
    if not members and not progress.now.has_run:
        yield from (Text("-", DIM) for _ in range(3))
        return
    yield Text(f"{progress.now.total_lag:,}")
    yield Text(f"{progress.coming:,.0f}")
    yield Text(f"{progress.done:,.0f}")


def _incidents(seen: Overview) -> RenderableType:
    if not seen.alerts:
        return Text("  none is open")
    table = plain_table()
    for alert in seen.alerts:
        since = f"{age(seen.at - alert.opened_at)}"
        table.add_row(
            Text(
                f"  {visible(alert.model)}",
                "red" if alert.severity in ("critical", "error") else "",
            ),
            alert.check,
            since,
            visible(alert.summary),
        )
    return table


def _dead_letters(seen: Overview) -> RenderableType:
    if not seen.dead_letters:
        return Text("  none")
    told = ", ".join(f"{n:,} {reason}" for reason, n in seen.dead_letters.most_common())
    return Text(f"  {seen.dead_letters.total():,}: {told} (`driftline deadletters list`)")


def _models(seen: Overview) -> RenderableType:
    models = seen.registry.models if seen.registry else {}
    if not models:
        return Text("  none yet: `driftline apply` a spec")
    table = plain_table()
    for name in sorted(models):
        table.add_row(*_model(seen, models[name]))
    return table


def _model(seen: Overview, model: ModelState) -> Iterator[RenderableType]:
    yield f"  {visible(model.name)}"
    yield model.spec.body.spec.task if model.spec else "no spec"
    if model.deployed is None:
        learns = model.spec is not None and model.spec.body.spec.pipelines
        yield Text("nothing serves yet" if learns else "served by your app", DIM)
        return
    version = model.versions.get(model.deployed.body.version_id)
    since = age(seen.at - model.deployed.decided.at)
    scorers = seen.confirmed(model.name, model.deployed.body)
    told = counted(len(scorers.confirmed), "scorer") if scorers.confirmed else "no scorer says so"
    if scorers.pending:
        told += f", {len(scorers.pending)} on another version"
    name = version.name.removeprefix(f"{model.name}/") if version else "?"
    yield f"{visible(name)} for {since}, {told}"
