"""Build the monitor's process."""

import structlog

from driftline.core.monitoring.fold import MonitorPolicy
from driftline.monitor.archive import ROLE, Archive
from driftline.monitor.published import KafkaAlerts
from driftline.monitor.state import Monitors
from driftline.runtime.checkpoint_topic import KafkaCheckpoints
from driftline.runtime.clock import SystemClock
from driftline.runtime.models.artifacts import ArtifactError, ArtifactStore
from driftline.runtime.outputs import KafkaOutputs
from driftline.runtime.ports import Outputs
from driftline.runtime.redis_states import RedisStates, connect
from driftline.runtime.service import Service
from driftline.runtime.settings import Settings
from driftline_schemas.topics import ALERTS, JOURNAL, PREDICTIONS, consumer_group

log = structlog.get_logger(__name__)


def policy_of(settings: Settings) -> MonitorPolicy:
    """The monitor's rules, as the installation has them."""
    return MonitorPolicy(
        pane_ms=settings.pane_seconds * 1_000,
        grace_ms=settings.pane_grace_seconds * 1_000,
        horizon_ms=settings.label_horizon_ms,
        input_partitions=PREDICTIONS.partitions,
    )


def archive_of(settings: Settings, outputs: Outputs) -> Archive | None:
    """None where nobody said where artifacts lie, or in a place that we cannot speak to."""
    url, prefix = settings.artifacts_url, settings.topic_prefix
    if not url:
        return None
    try:
        ArtifactStore.at(url)
    except ArtifactError as error:
        log.warning("checkpoints_are_not_written", reason=str(error))
        return None
    checkpoints = KafkaCheckpoints(settings.brokers, prefix, ROLE)
    return Archive(url, prefix, checkpoints, outputs, SystemClock())


def build(settings: Settings) -> Service[bytes]:
    """The monitor: journal in, verdicts and alerts out, state in Redis, and written down in the
    artifact store if there is one."""
    prefix = settings.topic_prefix
    outputs = KafkaOutputs(settings.brokers, f"{prefix}.{ROLE}.{settings.replica}")
    monitors = Monitors(
        policy_of(settings),
        prefix,
        outputs,
        KafkaAlerts(settings.brokers, ALERTS.full_name(prefix)),
        SystemClock(),
        archive_of(settings, outputs),
    )
    return Service(
        role=ROLE,
        topics=(JOURNAL,),
        outputs=outputs,
        open_state=monitors.open_state,
        store=RedisStates(connect(settings.redis_url), consumer_group(prefix, ROLE)),
    )
