"""Does a channel work? One notification that says it is a test, and what was answered."""

from dataclasses import dataclass
from typing import Final

from driftline.alerter.channel import Channel, Outcome, Retry
from driftline.alerter.text import TEST
from driftline.alerter.transport import UnreachableError, new_client, post
from driftline_schemas.alerts import Alert, alert_id, fingerprint

MODEL: Final = "driftline-test"


@dataclass(frozen=True, slots=True)
class Trial:
    """What the receiver made of it; `status` of HTTP, None without an answer."""

    outcome: Outcome
    status: int | None


def test_alert(channel: str, now: int, *, is_over: bool) -> Alert:
    """An alert about nothing. All tests of a channel are one alert: `is_over` ends it."""
    opened_by = (MODEL, 0, 0)
    about = fingerprint(MODEL, "error", channel)
    return Alert(
        alert_id=alert_id(about, opened_by),
        fingerprint=about,
        status="resolved" if is_over else "firing",
        revision=2 if is_over else 1,
        at=now,
        severity="info",
        model=MODEL,
        model_version="none",
        check="error",
        scope="model",
        opened_at=now,
        opened_by=opened_by,
        n=0,
        summary=f"Nothing is wrong. Somebody ran `driftline alerts test {channel}`",
        reason=TEST,
        replay=f"driftline alerts test {channel}",
    )


async def try_out(channel: Channel, alert: Alert) -> Trial:
    """Send it once, as the alerter would."""
    async with new_client(channel.url) as client:
        try:
            answer = await post(client, channel.request(alert))
        except UnreachableError as error:
            return Trial(Retry(str(error)), None)
    return Trial(channel.judge(answer.status, answer.headers, answer.body), answer.status)
