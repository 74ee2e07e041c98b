"""Build the monitor's process."""

from driftline.core.monitoring.fold import MonitorPolicy
from driftline.monitor.published import KafkaAlerts
from driftline.monitor.state import Monitors
from driftline.runtime.outputs import KafkaOutputs
from driftline.runtime.redis_states import RedisStates, connect
from driftline.runtime.service import Service
from driftline.runtime.settings import Settings
from driftline_schemas.topics import ALERTS, JOURNAL, PREDICTIONS, consumer_group

ROLE = "monitor"


def policy_of(settings: Settings) -> MonitorPolicy:
    """The monitor's rules, as the installation has them."""
    return MonitorPolicy(
        pane_ms=settings.pane_seconds * 1_000,
        grace_ms=settings.pane_grace_seconds * 1_000,
        horizon_ms=settings.label_horizon_ms,
        input_partitions=PREDICTIONS.partitions,
    )


def build(settings: Settings) -> Service[bytes]:
    """The monitor: journal in, verdicts and alerts out, state in Redis."""
    prefix = settings.topic_prefix
    outputs = KafkaOutputs(settings.brokers, f"{prefix}.{ROLE}.{settings.replica}")
    monitors = Monitors(
        policy_of(settings),
        prefix,
        outputs,
        KafkaAlerts(settings.brokers, ALERTS.full_name(prefix)),
    )
    return Service(
        role=ROLE,
        topics=(JOURNAL,),
        outputs=outputs,
        open_state=monitors.open_state,
        store=RedisStates(connect(settings.redis_url), consumer_group(prefix, ROLE)),
    )
