"""Do the clocks agree: the apps' with the broker's, ours with the broker's and with Redis'?"""

from collections.abc import Iterator
from typing import Final

from driftline.cli.alerts import age
from driftline.cli.checks.evidence import Evidence
from driftline.cli.checks.finding import Finding, error, warning

CHECK = "clocks"
FUTURE_MS: Final = 5_000  # predicted this much after the broker took it: a clock is wrong
SKEWED_MS: Final = 300_000  # from here on the joiner counts by append time
APART_MS: Final = 2_000
DAY_MS: Final = 86_400_000


def check(seen: Evidence) -> Iterator[Finding]:
    """Apps whose events come from the future, then our own clock."""
    ahead: dict[str, list[int]] = {}
    totals: dict[str, int] = {}
    for each in seen.predictions:
        if each.predicted_at is None or seen.now - each.at > DAY_MS:
            continue
        totals[each.producer] = totals.get(each.producer, 0) + 1
        if each.predicted_at - each.at > FUTURE_MS:
            ahead.setdefault(each.producer, []).append(each.predicted_at - each.at)
    for producer, leads in ahead.items():
        most = max(leads)
        severity = error if most > SKEWED_MS else warning
        counted = ", so they count under their append time" if most > SKEWED_MS else ""
        yield severity(
            CHECK,
            f"{len(leads):,} of {totals[producer]:,} newest predictions of producer {producer} have"
            f" a predicted_at up to {_seconds(most)} after the broker took them{counted}.",
            "Set the clock of that app's machines by NTP, or write predicted_at in UTC.",
        )
    yield from _ours(seen)


def told(seen: Evidence) -> str:
    """When all is well."""
    compared = "ours and the broker's agree" if seen.arrivals else "no record came to compare ours"
    return f"no prediction comes from the future, {compared}"


def _ours(seen: Evidence) -> Iterator[Finding]:
    if (apart := broker_is_ahead(seen)) is not None and abs(apart) > APART_MS:
        where = "behind" if apart > 0 else "ahead of"
        yield warning(
            CHECK,
            f"This machine's clock is {_seconds(abs(apart))} {where} the broker's: commands lapse"
            " by it, and so do the panes of idle partitions.",
            "Set both by NTP.",
        )
    if seen.redis is not None and abs(seen.redis.now - seen.now) > APART_MS:
        apart = seen.redis.now - seen.now
        yield warning(
            CHECK,
            f"Redis' clock is {_seconds(abs(apart))} {'ahead of' if apart > 0 else 'behind'} this"
            " machine's.",
            "Set both by NTP.",
        )


def broker_is_ahead(seen: Evidence) -> int | None:
    """By how much at least (ms), negative if it is behind; 0 if it may be right.

    A record that came while we looked was appended between two moments of our clock. One that
    seems to come from our future says as much without having come just now.
    """
    if seen.arrivals:
        ahead = max(arrival.appended - arrival.after for arrival in seen.arrivals)
        behind = min(arrival.appended - arrival.before for arrival in seen.arrivals)
        return ahead if ahead > 0 else min(0, behind)
    last = max((each.at for each in [*seen.predictions, *seen.labels]), default=0)
    return last - seen.now if last > seen.now else None


def _seconds(milliseconds: int) -> str:
    return age(milliseconds) if milliseconds >= 60_000 else f"{milliseconds / 1_000:.1f} s"
