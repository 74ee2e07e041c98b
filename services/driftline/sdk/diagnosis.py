"""Why do events not arrive? Ask the broker, and say each finding as a sentence."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, not declared so
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    ResourceType,
)

from driftline.sdk.statistics import Statistics
from driftline_schemas.topics import MAX_RECORD_BYTES

REMEDIES: Final = {
    "queue_full": "Kafka is away or slow, or max_queued is too small",
    "too_large": f"a record may have {MAX_RECORD_BYTES // 1024} KiB: leave out large features",
    "invalid_field": "the log of `driftline.sdk` names the argument",
    "no_topic": "run `driftline topics init`",
    "closed": "events were logged after close()",
}


def diagnose(connection: Mapping[str, Any], predictions: str, labels: str,
             timeout: float) -> list[str]:  # fmt: skip
    """Faults of broker and topics. Waits at most about twice `timeout` seconds."""
    troubles: list[KafkaError] = []
    silent = logging.getLogger("driftline.sdk.check")
    silent.disabled = True  # the findings are returned, not logged
    settings: dict[str, Any] = {**connection, "error_cb": troubles.append}
    admin = AdminClient(settings, logger=silent)
    try:
        cluster = admin.list_topics(timeout=timeout)
    except KafkaException as error:
        admin.poll(0)
        return [_unreachable(connection["bootstrap.servers"], [error.args[0], *troubles])]
    return [*_topic_faults(cluster, predictions, labels),
            *_setting_faults(admin, cluster, [predictions, labels], timeout)]  # fmt: skip


def losses(statistics: Statistics) -> list[str]:
    """What was lost so far, and what to do about it."""
    found = [
        f"{n} events were dropped ({reason}): {REMEDIES.get(reason, 'see the log')}."
        for reason, n in statistics.dropped.items()
    ]
    found += [f"{n} records were not delivered ({name})." for name, n in statistics.failed.items()]
    return found


def _unreachable(brokers: str, errors: list[KafkaError]) -> str:
    told = [e.str() for e in errors if e.name() not in ("_ALL_BROKERS_DOWN", "_TIMED_OUT")]
    why = told[-1] if told else errors[-1].str()
    return f"No broker answers at {brokers}: {why}."


def _topic_faults(cluster: ClusterMetadata, predictions: str, labels: str) -> list[str]:
    counts = {
        name: len(cluster.topics[name].partitions) if name in cluster.topics else 0
        for name in (predictions, labels)
    }
    missing = [
        f"Topic {name} does not exist: run `driftline topics init`."
        for name, partitions in counts.items()
        if not partitions
    ]
    if missing or counts[predictions] == counts[labels]:
        return missing
    unequal = (
        f"{predictions} has {counts[predictions]} partitions and {labels} has {counts[labels]}:"
        " predictions and labels would never meet."
    )
    return [unequal]


def _setting_faults(admin: AdminClient, cluster: ClusterMetadata, names: list[str],
                    timeout: float) -> list[str]:  # fmt: skip
    known = [ConfigResource(ResourceType.TOPIC, name) for name in names if name in cluster.topics]
    if not known:
        return []
    faults = []
    for resource, answer in admin.describe_configs(known, request_timeout=timeout).items():
        try:
            settings = {name: entry.value for name, entry in answer.result(timeout).items()}
        except (KafkaException, TimeoutError):
            continue  # an app's account need not be allowed to read settings
        faults += _topic_setting_faults(resource.name, settings)
    return faults


def _topic_setting_faults(name: str, settings: Mapping[str, str | None]) -> list[str]:
    faults = []
    if int(settings.get("max.message.bytes") or MAX_RECORD_BYTES) < MAX_RECORD_BYTES:
        faults.append(
            f"Topic {name} takes {settings['max.message.bytes']} bytes only: the limit of a"
            f" record is {MAX_RECORD_BYTES}."
        )
    if settings.get("message.timestamp.type") not in (None, "LogAppendTime"):
        faults.append(f"Topic {name} does not use LogAppendTime: run `driftline topics check`.")
    return faults
