"""Is each role played, and does it get on?"""

from collections.abc import Iterator
from typing import Final

from driftline.cli.checks.evidence import Evidence
from driftline.cli.checks.finding import Finding, error, warning
from driftline.cli.role_progress import Progress, is_needed

CHECK = "groups"
FALLS_BEHIND: Final = 0.1  # of what comes is not done
FEW: Final = 100  # records


def check(seen: Evidence) -> Iterator[Finding]:
    """Roles that nobody plays, that commit nothing, that fall behind."""
    models = seen.registry.models.values() if seen.registry else ()
    learns = any(model.spec and model.spec.body.spec.pipelines for model in models)
    for role, progress in seen.roles.items():
        if progress.now.members:
            yield from _judged(progress, seen.watched_seconds)
        elif is_needed(progress.now, somebody_learns=learns):
            waiting = f", and {progress.now.total_lag:,} records wait" * bool(
                progress.now.total_lag
            )
            yield error(CHECK, f"No process plays the role {role}{waiting}.",
                        f"Start one: `driftline run {role}`.")  # fmt: skip


def told(seen: Evidence) -> str:
    """When all is well."""
    played = [role for role, each in seen.roles.items() if each.now.members]
    return f"{', '.join(played) or 'none'} run and keep up"


def _judged(progress: Progress, seconds: float) -> Iterator[Finding]:
    role, lag = progress.role, progress.now.total_lag
    names = ", ".join(sorted(member.name for member in progress.now.members)[:3])
    if progress.stood_still and not progress.done:
        yield (error if progress.lag_grew > 0 else warning)(
            CHECK,
            f"The {role} ({names}) has committed nothing for {seconds:.0f} s while {lag:,} records"
            f" wait{', and they grow' if progress.lag_grew > 0 else ''}.",
            f"Look at /readyz and the log of that process (a rebuild also looks like this: see"
            f" `driftline rebuild {role} --estimate`), then restart it under the same"
            " DRIFTLINE_REPLICA.",
        )
    elif progress.lag_grew > max(FEW, FALLS_BEHIND * progress.coming * seconds) and lag > FEW:
        partitions = len({tp.partition for tp in progress.now.ends})
        yield warning(
            CHECK,
            f"The {role} falls behind: {progress.coming:,.0f} records/s come,"
            f" {progress.done:,.0f} are done, {lag:,} wait.",
            f"Start more processes of it; up to {partitions} share its partitions.",
        )
