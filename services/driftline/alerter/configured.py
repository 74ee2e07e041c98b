"""Which channels do the settings name?"""

from collections.abc import Iterator

from pydantic import SecretStr

from driftline.alerter import pagerduty
from driftline.alerter.channel import Channel
from driftline.alerter.pagerduty import PagerDuty
from driftline.alerter.slack import Slack
from driftline.alerter.transport import check_destination
from driftline.alerter.webhook import Webhook
from driftline.runtime.settings import Settings


def channels(settings: Settings) -> tuple[Channel, ...]:
    """The configured channels. DriftlineError for a URL that nothing may be sent to."""
    found = tuple(_named(settings))
    for channel in found:
        check_destination(channel.url, f"the URL of {channel.name}")
    return found


def _named(settings: Settings) -> Iterator[Channel]:
    if settings.slack_webhook_url:
        yield Slack(settings.slack_webhook_url)
    if settings.pagerduty_routing_key:
        endpoint = settings.pagerduty_url or SecretStr(pagerduty.URL)
        yield PagerDuty(settings.pagerduty_routing_key, endpoint)
    if settings.webhook_url:
        yield Webhook(settings.webhook_url)
