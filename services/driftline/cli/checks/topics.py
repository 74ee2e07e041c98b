"""Are the topics as the table has them?"""

from collections.abc import Iterator
from typing import Final

from driftline.cli.alerts import age
from driftline.cli.checks.evidence import Evidence
from driftline.cli.checks.finding import Finding, error, warning
from driftline.runtime.topic_admin import FoundTopic, wanted_settings
from driftline_schemas.limits import MAX_RECORD_BYTES
from driftline_schemas.topics import FOREVER, LABELS, PREDICTIONS, TOPICS, Topic

CHECK = "topics"
WHY: Final = {
    "cleanup.policy": "records would vanish, or never go",
    "message.timestamp.type": "labels would be joined by the clocks of the apps",
    "min.insync.replicas": "records could be lost with one broker",
}


def check(seen: Evidence) -> Iterator[Finding]:
    """Each difference from the table."""
    prefix = seen.settings.topic_prefix
    missing = [topic.name for topic in TOPICS if topic.full_name(prefix) not in seen.topics]
    if missing:
        which = "all" if len(missing) == len(TOPICS) else ", ".join(missing)
        others = f"; this cluster has {', '.join(seen.other_prefixes)}" * bool(seen.other_prefixes)
        yield error(
            CHECK,
            f"Topics of the prefix {prefix} are missing ({which}{others}).",
            "Set DRIFTLINE_TOPIC_PREFIX to the installation you mean, or run"
            " `driftline topics init`.",
        )
    for topic in TOPICS:
        if (found := seen.topics.get(name := topic.full_name(prefix))) is not None:
            yield from _differences(seen, name, topic, found)


def told(seen: Evidence) -> str:
    """When all is well."""
    return f"all {len(seen.topics)} are as they should be"


def _differences(seen: Evidence, name: str, topic: Topic, found: FoundTopic) -> Iterator[Finding]:
    if found.partitions != topic.partitions:
        yield error(
            CHECK,
            f"{name} has {found.partitions} partitions instead of {topic.partitions}, and counts"
            " are fixed for life.",
            "Set up a new installation under another DRIFTLINE_TOPIC_PREFIX.",
        )
    wanted = wanted_settings(topic, seen.settings)
    retention = wanted.pop("retention.ms", None)
    for key, value in wanted.items():
        if (has := found.settings.get(key)) != value:
            why = f": {WHY[key]}" if key in WHY else ""
            yield error(CHECK, f"{name} has {key}={has} instead of {value}{why}.",
                        _set(seen, name, key, value))  # fmt: skip
    if retention is not None:
        yield from _retention(seen, name, topic, found, int(retention))
    if found.replicas < seen.settings.replication:
        yield warning(
            CHECK,
            f"{name} has {found.replicas} copies instead of {seen.settings.replication}.",
            "Add replicas with kafka-reassign-partitions.sh.",
        )
    least = int(found.settings.get("max.message.bytes") or MAX_RECORD_BYTES)
    if topic in (PREDICTIONS, LABELS) and least < MAX_RECORD_BYTES:
        yield warning(
            CHECK,
            f"{name} takes records of {least:,} bytes only: apps may send {MAX_RECORD_BYTES:,}.",
            _set(seen, name, "max.message.bytes", "1048588"),
        )


def _retention(
    seen: Evidence, name: str, topic: Topic, found: FoundTopic, wanted: int
) -> Iterator[Finding]:
    kept = int(found.settings.get("retention.ms", FOREVER))
    if kept == FOREVER or (wanted != FOREVER and kept >= wanted):
        return
    least = "for ever" if wanted == FOREVER else age(wanted)
    # A rebuild would find less than the state held: inputs within the horizon, the journal whole.
    is_needed = topic in (PREDICTIONS, LABELS) or wanted == FOREVER
    yield (error if is_needed else warning)(
        CHECK,
        f"{name} keeps records for {age(kept)}, it must keep them {least}.",
        _set(seen, name, "retention.ms", str(wanted)),
    )


def _set(seen: Evidence, name: str, key: str, value: str) -> str:
    return (
        f"Run kafka-configs.sh --bootstrap-server {seen.settings.brokers} --alter --topic {name}"
        f" --add-config {key}={value}."
    )
