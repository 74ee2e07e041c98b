"""Gather what the doctor judges: servers, settings, groups and samples. Changes nothing."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from shutil import disk_usage
from time import monotonic, sleep
from typing import Any, Final

import orjson
from confluent_kafka import Message
from confluent_kafka.admin import AdminClient

from driftline.cli.checks.evidence import Arrival, Evidence, Sampled
from driftline.cli.letters import UNKNOWN, letters, stretches_since
from driftline.cli.resent import resent_within
from driftline.cli.role_progress import progress
from driftline.core.registry.state import RegistryState
from driftline.runtime.clock import SystemClock
from driftline.runtime.first_contact import advertised, look_at, meet
from driftline.runtime.group_looks import GroupLooks, all_of
from driftline.runtime.kafka_log import SILENT
from driftline.runtime.log_reading import read_stretches, time_of
from driftline.runtime.ports import TP
from driftline.runtime.redis_looks import NoRedisError, kept_state, look_at_redis
from driftline.runtime.registry_log import RegistryError, iterate_registry
from driftline.runtime.settings import Settings
from driftline.runtime.topic_admin import find_topics
from driftline_schemas.codec import UnreadableEvent, decode
from driftline_schemas.fields import ID_PATTERN, parse_time
from driftline_schemas.journal import Unmatched
from driftline_schemas.topics import (
    LABELS,
    PREDICTIONS,
    REGISTRY,
    TOPICS,
    UNMATCHED,
    Topic,
    consumer_group,
)

WATCH_SECONDS: Final = 6.0  # three checkpoints
DAY_MS, HOUR_MS = 86_400_000, 3_600_000
SEARCHED: Final = 2_000  # newest predictions of each partition, among which labels are looked for
SAMPLED_LABELS: Final = 500
SAMPLED_UNMATCHED: Final = 2_000
MOST_LETTERS: Final = 5_000
LEAST_SECONDS: Final = 60.0  # a rate is measured over
ID: Final = re.compile(ID_PATTERN)
READING_SECONDS: Final = 10.0  # at most, for one sample

Step = Callable[[str], None]


def examine(settings: Settings, step: Step = lambda _what: None) -> Evidence:
    """Takes about as long as three checkpoints. NoBrokerError if there is no broker to ask."""
    clock = SystemClock()
    step("brokers")
    meet(settings.brokers)
    seen = Evidence(settings, clock.now())
    seen.cluster = [look_at(address) for address in advertised(settings.brokers)]
    step("topics")
    seen.topics = find_topics(settings)
    if len(seen.topics) < len(TOPICS):
        seen.other_prefixes = _other_prefixes(settings)
    step("Redis")
    _look_at_stores(seen)
    if len(seen.topics) == len(TOPICS):
        _look_inside(seen, clock.now, step)
    return seen


def _look_at_stores(seen: Evidence) -> None:
    settings = seen.settings
    try:
        seen.redis = look_at_redis(settings.redis_url)
        seen.now = SystemClock().now()
        seen.kept = kept_state(settings.redis_url, consumer_group(settings.topic_prefix, "joiner"))
    except NoRedisError as error:
        seen.redis_trouble = str(error)
    url = settings.artifacts_url or ""
    if url.startswith(("/", "file://")):
        try:
            usage = disk_usage(url.removeprefix("file://"))
        except OSError:  # it is made when the first artifact comes
            return
        seen.free_bytes, seen.disk_bytes = usage.free, usage.total


def _look_inside(seen: Evidence, now: Callable[[], int], step: Step) -> None:
    settings = seen.settings
    groups = GroupLooks(settings.brokers, settings.topic_prefix)
    step("groups")
    began, before = monotonic(), now()
    first = groups.look()
    step("the registry")
    state = RegistryState()
    try:
        for fact in iterate_registry(settings.brokers, settings.topic_prefix):
            state.apply(fact)
        seen.registry = state
    except RegistryError as error:
        seen.registry_trouble = str(error)
    step("a sample of the records")
    _sample(seen, groups)
    step("groups again")
    sleep(max(0.0, WATCH_SECONDS - (monotonic() - began)))
    second = groups.look()
    seen.watched_seconds = monotonic() - began
    seen.roles = {role: progress(first[role], second[role]) for role in second}
    seen.arrivals = _arrivals(seen, groups, first["joiner"].ends, before, now)
    _measure_rates(seen, groups)


def _sample(seen: Evidence, groups: GroupLooks) -> None:
    settings = seen.settings
    tails = _tails(groups, settings, PREDICTIONS, SEARCHED)
    seen.predictions = _sampled(settings, PREDICTIONS, tails)
    oldest: dict[int, int] = {}
    for each in seen.predictions:
        oldest[each.partition] = min(each.at, oldest.get(each.partition, each.at))
    begins = groups.begins(list(tails))
    seen.searched_since = {tp.partition: 0 if first <= begins[tp] else oldest.get(tp.partition, 0)
                           for tp, (first, _) in tails.items()}  # fmt: skip
    tails = _tails(groups, settings, LABELS, SAMPLED_LABELS)
    labels = _sampled(settings, LABELS, tails)
    seen.labels = [each for each in labels if seen.now - each.at < DAY_MS]
    unmatched = []
    tails = _tails(groups, settings, UNMATCHED, SAMPLED_UNMATCHED)
    for message in read_stretches(settings.brokers, tails, seconds=READING_SECONDS):
        if seen.now - time_of(message) < DAY_MS:
            with suppress(UnreadableEvent):
                unmatched.append(decode(Unmatched, message.value()))
    seen.unmatched = unmatched
    stretches = stretches_since(settings, seen.now - DAY_MS)
    newest = {tp: (max(first, end - MOST_LETTERS), end) for tp, (first, end) in stretches.items()}
    seen.letters = list(letters(settings, newest))
    seen.resent = resent_within(settings, newest)


def _tails(
    groups: GroupLooks, settings: Settings, topic: Topic, most: int
) -> dict[TP, tuple[int, int]]:
    """The newest records of each partition."""
    tps = all_of(topic, settings.topic_prefix)
    begins, ends = groups.begins(tps), groups.ends(tps)
    return {tp: (max(begins[tp], ends[tp] - most), ends[tp]) for tp in tps}


def _sampled(
    settings: Settings, topic: Topic, stretches: Mapping[TP, tuple[int, int]]
) -> list[Sampled]:
    messages = read_stretches(settings.brokers, stretches, seconds=READING_SECONDS)
    return [each for message in messages if (each := _read(topic, message))]


def _read(topic: Topic, message: Message) -> Sampled | None:
    """What the envelope names; None for a record that is a dead letter anyway."""
    try:
        body: dict[str, Any] = orjson.loads(message.value() or b"")
        name, at = str(body["prediction_id"]), body.get("predicted_at")
        if not ID.match(name):
            return None
        said = body.get("prediction" if topic is PREDICTIONS else "label")
        producer = body.get("producer") or {}
        app = " ".join(filter(None, [producer.get("name"), producer.get("version")]))
        return Sampled(
            topic.name,
            message.partition() or 0,
            message.offset() or 0,
            time_of(message),
            name,
            str(body["model"]),
            app or str(body.get("source") or UNKNOWN),
            parse_time(at) if isinstance(at, str) else None,
            said if isinstance(said, str) else None,
        )
    except (ValueError, KeyError, AttributeError, TypeError):
        return None


def _arrivals(
    seen: Evidence,
    groups: GroupLooks,
    ends: Mapping[TP, int],
    before: int,
    now: Callable[[], int],
) -> list[Arrival]:
    """The last record of each input partition, if it came while we looked."""
    newest = groups.ends(list(ends))
    stretches = {tp: (end - 1, end) for tp, end in newest.items() if end > ends[tp]}
    found = list(read_stretches(seen.settings.brokers, stretches, seconds=READING_SECONDS))
    return [Arrival(before, now(), time_of(message)) for message in found]


def _measure_rates(seen: Evidence, groups: GroupLooks) -> None:
    """Records a second over the last hour, or since the first one in a younger installation."""
    seconds, rates = HOUR_MS / 1_000, []
    for topic in (PREDICTIONS, LABELS):
        tps = all_of(topic, seen.settings.topic_prefix)
        begins, ends = groups.begins(tps), groups.ends(tps)
        since = groups.since(tps, seen.now - HOUR_MS)
        if topic is PREDICTIONS:
            young = {tp: (first, first + 1) for tp, first in begins.items()
                     if since[tp] == first < ends[tp]}  # fmt: skip
            firsts = [time_of(each) for each in read_stretches(seen.settings.brokers, young)]
            age = (seen.now - min(firsts, default=0)) / 1_000
            seconds = min(seconds, max(LEAST_SECONDS, age))
        rates.append(sum(ends[tp] - since[tp] for tp in tps) / seconds)
    seen.predictions_per_second, seen.labels_per_second = rates


def _other_prefixes(settings: Settings) -> list[str]:
    """Installations that this cluster has under other prefixes."""
    known = AdminClient({"bootstrap.servers": settings.brokers}, logger=SILENT).list_topics(
        timeout=10.0
    )
    ending = REGISTRY.full_name("")
    found = [name.removesuffix(ending) for name in known.topics if name.endswith(ending)]
    return sorted(prefix for prefix in found if prefix != settings.topic_prefix)[:5]
