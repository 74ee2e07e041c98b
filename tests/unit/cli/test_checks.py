"""Does each check of the doctor name its fault, and keep silent where all is well?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from driftline.cli.checks import (
    agreement,
    clocks,
    groups,
    labels,
    placement,
    stores,
    topics,
    waiting,
)
from driftline.cli.checks.evidence import Arrival, Evidence, Sampled
from driftline.cli.checks.finding import Finding
from driftline.cli.doctor import diagnose
from driftline.cli.resent import note_of
from driftline.cli.role_progress import Progress, progress
from driftline.core.registry.state import RegistryState
from driftline.runtime.first_contact import BrokerLook
from driftline.runtime.group_looks import INPUTS, Member, RoleLook, all_of
from driftline.runtime.redis_looks import KeptState, RedisLook
from driftline.runtime.settings import Settings
from driftline.runtime.topic_admin import FoundTopic, wanted_settings
from driftline_schemas.journal import Unmatched
from driftline_schemas.partitioner import partition_of
from driftline_schemas.registry import InstallationBody
from driftline_schemas.topics import PREDICTIONS, TOPICS
from tests.unit.cli.samples import letter

NOW = 1_790_000_000_000
HOUR = 3_600_000
SETTINGS = Settings(topic_prefix="shop", brokers="kafka:9092")
REDIS = RedisLook(
    version="7.2.4", is_replica=False, primary_is_up=True, takes_writes=True, used_bytes=10**6,
    limit_bytes=0, machine_bytes=8 * 10**9, eviction="noeviction", append_only=True,
    snapshots=False, last_write_failed=False, now=NOW,
)  # fmt: skip


def looks(role: str, *, lag: int = 0, done: int = 0, members: int = 1, came: int = 0) -> Progress:
    """Two looks, six seconds apart, at a role whose partition 0 does all that happens."""
    tps = [tp for topic in INPUTS[role] for tp in all_of(topic, "shop")]
    zeros = dict.fromkeys(tps, 0)
    present = [Member(f"{role}-{i}", "host", 1) for i in range(members)]
    end = 1_000
    before = RoleLook(role, 0.0, present, zeros, {**zeros, tps[0]: end},
                      {**zeros, tps[0]: end + came - lag - done})  # fmt: skip
    now = RoleLook(role, 6.0, present, zeros, {**zeros, tps[0]: end + came},
                   {**zeros, tps[0]: end + came - lag})  # fmt: skip
    return progress(before, now)


def found_topics() -> dict[str, FoundTopic]:
    return {
        topic.full_name("shop"): FoundTopic(topic.name, topic.partitions, 1,
                                            wanted_settings(topic, SETTINGS))
        for topic in TOPICS
    }  # fmt: skip


def sampled(topic: str, name: str, *, at: int = NOW - HOUR, model: str = "churn",
            producer: str = "shop 1.4", **more: Any) -> Sampled:  # fmt: skip
    partition = more.pop("partition", partition_of(name, PREDICTIONS.partitions))
    offset = more.pop("offset", hash((topic, name)) % 10**9)
    return Sampled(topic, partition, offset, at, name, model, producer, **more)


def healthy() -> Evidence:
    """An installation without a fault, in which predictions get their labels after a minute."""
    registry = RegistryState(
        installation=InstallationBody(
            label_horizon_ms=SETTINGS.label_horizon_ms,
            partitions={},
            topic_ids={topic.full_name("shop"): topic.name for topic in TOPICS},
            pane_seconds=60,
        )
    )
    names = [f"id-{i}" for i in range(50)]
    return Evidence(
        SETTINGS,
        NOW,
        cluster=[BrokerLook("kafka:9092", None, "4.3")],
        topics=found_topics(),
        registry=registry,
        redis=REDIS,
        kept=KeptState((), 0, 0, 0),
        roles={role: looks(role, done=60, came=60) for role in INPUTS},
        watched_seconds=6.0,
        predictions=[sampled("predictions", n, predicted_at=NOW - HOUR - 50) for n in names],
        labels=[sampled("labels", n, at=NOW - HOUR + 60_000, producer="unknown") for n in names],
        searched_since=dict.fromkeys(range(16), 0),
        arrivals=[Arrival(NOW - 6_000, NOW, NOW - 1_000)],
        predictions_per_second=10.0,
        labels_per_second=10.0,
    )


def faults(seen: Evidence) -> list[Finding]:
    return [finding for finding in diagnose(seen) if finding.severity != "ok"]


def one(seen: Evidence) -> Finding:
    (found,) = faults(seen)
    assert found.what.endswith(".")
    assert found.mend.endswith(".")
    return found


def test_a_healthy_installation_has_no_fault() -> None:
    assert faults(healthy()) == []
    assert len(diagnose(healthy())) == 9


def retention(name: str, **settings: str) -> Callable[[Evidence], None]:
    def plant(seen: Evidence) -> None:
        known = seen.topics[f"shop.{name}.v1"]
        changed = replace(known, settings={**known.settings, **_dotted(settings)})
        seen.topics = {**seen.topics, f"shop.{name}.v1": changed}

    return plant


def _dotted(settings: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "."): value for name, value in settings.items()}


def misplaced(seen: Evidence) -> None:
    names = [f"go-{i}" for i in range(5)]
    wrong = [sampled("predictions", name, producer="go-shop 0.3", at=NOW - 5_000,
                     partition=(partition_of(name, 16) + 1) % 16) for name in names]  # fmt: skip
    seen.predictions = [*seen.predictions, *wrong]


def from_the_future(seen: Evidence) -> None:
    late = [sampled("predictions", f"f-{i}", producer="laptop 1", predicted_at=NOW - HOUR + 400_000)
            for i in range(4)]  # fmt: skip
    seen.predictions = [*seen.predictions, *late]


def broker_ahead(seen: Evidence) -> None:
    seen.arrivals = [Arrival(NOW - 6_000, NOW, NOW + 8_000)]


def broker_behind(seen: Evidence) -> None:
    seen.arrivals = [Arrival(NOW - 6_000, NOW, NOW - 15_000)]


def other_model(seen: Evidence) -> None:
    seen.labels = [replace(label, model="chrun") for label in seen.labels]


def other_ids(seen: Evidence) -> None:
    seen.labels = [sampled("labels", f"order-{i}") for i in range(20)]


def too_late(seen: Evidence) -> None:
    week = SETTINGS.label_horizon_ms
    seen.predictions = [replace(p, at=NOW - week - 2 * HOUR, predicted_at=None)
                        for p in seen.predictions]  # fmt: skip


def expired_halves(seen: Evidence) -> None:
    """The sample shows nothing of it any more; the joiner has given both halves up."""
    seen.predictions, seen.labels = [], []
    seen.unmatched = [
        Unmatched(model=model, prediction_id=f"x-{i}", reason=reason, source_tp=(0, i),
                  source_ts=NOW - HOUR)
        for i in range(5)
        for model, reason in (("churn", "no_label"), ("chrun", "no_prediction"))
    ]  # fmt: skip


def no_labels(seen: Evidence) -> None:
    seen.labels = []
    seen.unmatched = [
        Unmatched(model="churn", prediction_id=f"x-{i}", reason="no_label", source_tp=(0, i),
                  source_ts=NOW - HOUR)
        for i in range(5)
    ]  # fmt: skip


def role(name: str, **how: int) -> Callable[[Evidence], None]:
    def plant(seen: Evidence) -> None:
        seen.roles = {**seen.roles, name: looks(name, **how)}

    return plant


def redis(**how: Any) -> Callable[[Evidence], None]:
    def plant(seen: Evidence) -> None:
        seen.redis = replace(REDIS, **how)

    return plant


def busy(seen: Evidence) -> None:
    seen.predictions_per_second = 5_000.0


def other_settings(seen: Evidence) -> None:
    seen.settings = SETTINGS.model_copy(update={"pane_seconds": 5})


def other_topic(seen: Evidence) -> None:
    name = "shop.labels.v1"
    seen.topics = {**seen.topics, name: replace(seen.topics[name], topic_id="another")}


@pytest.mark.parametrize(
    ("plant", "check", "severity", "says"),
    [
        pytest.param(retention("labels", retention_ms="86400000"), topics, "error",
                     "keeps records for 1 d, it must keep them 14 d.", id="retention"),
        pytest.param(retention("predictions", message_timestamp_type="CreateTime"), topics, "error",
                     "message.timestamp.type=CreateTime instead of LogAppendTime", id="time type"),
        pytest.param(retention("alerts", retention_ms="86400000"), topics, "warning",
                     "shop.alerts.v1 keeps records for 1 d,", id="retention of an output"),
        pytest.param(misplaced, placement, "error", "5 of the 5 newest predictions of the producer"
                     " go-shop 0.3 lie in another partition", id="partitioner"),
        pytest.param(from_the_future, clocks, "error",
                     "producer laptop 1 have a predicted_at up to 6 min after", id="app's clock"),
        pytest.param(broker_ahead, clocks, "warning", "clock is 8.0 s behind the broker's",
                     id="broker ahead"),
        pytest.param(broker_behind, clocks, "warning", "clock is 9.0 s ahead of the broker's",
                     id="broker behind"),
        pytest.param(redis(now=NOW + 5_000), clocks, "warning", "Redis' clock is 5.0 s ahead",
                     id="clock of Redis"),
        pytest.param(other_model, labels, "error", "50 of 50 labels of model 'chrun' name another"
                     " model than their predictions, which say 'churn'", id="wrong model name"),
        pytest.param(other_ids, labels, "error", "20 of 20 labels of model 'churn' carry an id that"
                     " no prediction has", id="other ids"),
        pytest.param(too_late, labels, "error", "50 of 50 labels of model 'churn' come too late: up"
                     " to 7 d after their prediction, and the label horizon is 7 d.",
                     id="too late"),
        pytest.param(expired_halves, labels, "error", "5 of 5 labels of model 'chrun' name another",
                     id="wrong model name, seen by unmatched halves"),
        pytest.param(no_labels, labels, "warning", "No label of model 'churn' came: 5 of its newest"
                     " predictions", id="labels that never come"),
        pytest.param(role("monitor", lag=500, came=100), groups, "error",
                     "The monitor (monitor-0) has committed nothing for 6 s while 500 records wait,"
                     " and they grow.", id="stuck group"),
        pytest.param(role("joiner", lag=900, came=900, done=300), groups, "warning",
                     "The joiner falls behind: 150 records/s come, 50 are done", id="slow group"),
        pytest.param(role("monitor", lag=70, came=70, members=0), groups, "error",
                     "No process plays the role monitor, and 70 records wait.", id="nobody"),
        pytest.param(redis(eviction="allkeys-lru", limit_bytes=10**9), stores, "error",
                     "Redis evicts (allkeys-lru) at 1.0 GB", id="eviction"),
        pytest.param(redis(is_replica=True, takes_writes=False), stores, "error",
                     "Redis is a replica and takes no writes.", id="read-only replica"),
        pytest.param(redis(append_only=False), stores, "warning",
                     "Redis keeps no append-only file: after a restart it is empty", id="no AOF"),
        pytest.param(redis(limit_bytes=10**6), stores, "warning", "Redis uses 1.0 MB of 1.0 MB.",
                     id="nearly full"),
        pytest.param(busy, waiting, "error", "At 5,000 predictions/s, 100% of them without a label"
                     " for 7 d, about 3,017,952,600 will wait", id="memory forecast"),
        pytest.param(other_settings, agreement, "error", "DRIFTLINE_PANE_SECONDS is 5 here, and the"
                     " installation was set up with 60", id="settings"),
        pytest.param(other_topic, agreement, "error", "shop.labels.v1 was deleted and created",
                     id="recreated topic"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_named(
    plant: Callable[[Evidence], None], check: Any, severity: str, says: str
) -> None:
    seen = healthy()
    plant(seen)
    found = one(seen)
    assert (found.check, found.severity) == (check.CHECK, severity)
    assert says in found.what


def saying(seen: Evidence, predictions: Sequence[str], labels: Sequence[str]) -> Evidence:
    """Each side says its classes in turn."""
    seen.predictions = [
        replace(each, said=predictions[i % len(predictions)])
        for i, each in enumerate(seen.predictions)
    ]
    seen.labels = [
        replace(each, said=labels[i % len(labels)]) for i, each in enumerate(seen.labels)
    ]
    return seen


def test_classes_that_are_written_in_two_ways_are_named() -> None:
    found = one(saying(healthy(), ["0", "0", "1"], ["false", "true"]))
    assert (found.check, found.severity) == (labels.CHECK, "error")
    assert "predictions say '0' and '1', labels 'false' and 'true'" in found.what


def test_classes_that_may_differ_by_chance_are_no_fault() -> None:
    assert faults(saying(healthy(), ["0", "1"], ["1", "2"])) == []
    assert faults(saying(healthy(), ["0"], ["1"])) == []
    few = saying(healthy(), ["0", "1"], ["false", "true"])
    few.labels = few.labels[:19]
    assert faults(few) == []


def test_what_came_between_the_looks_is_not_stuck() -> None:
    seen = healthy()
    role("monitor", lag=8, came=8)(seen)
    assert faults(seen) == []


def test_a_producer_that_was_mended_is_no_fault_any_more() -> None:
    seen = healthy()
    misplaced(seen)
    mended = [sampled("predictions", f"m-{i}", producer="go-shop 0.3", at=NOW - 1_000)
              for i in range(placement.NEWEST)]  # fmt: skip
    seen.predictions = [*seen.predictions, *mended]
    assert faults(seen) == []


def test_a_refused_record_that_was_sent_again_is_no_fault_any_more() -> None:
    seen = healthy()
    refused = letter(topic="shop.predictions.v1")
    seen.letters = [refused, letter(topic="shop.predictions.v1", offset=18)]
    assert "2 predictions of the producer shop 1.4 were refused as misplaced" in one(seen).what
    seen.resent.note(dict(note_of(refused, "shop.predictions.v1/7/9")))
    assert one(seen).what.startswith("1 predictions of the producer shop 1.4 were refused")


def test_a_label_is_not_judged_where_the_search_did_not_reach() -> None:
    seen = healthy()
    other_ids(seen)
    seen.searched_since = dict.fromkeys(range(16), NOW - 2 * HOUR)
    assert faults(seen) == []


def test_without_topics_only_what_lies_outside_is_judged() -> None:
    seen = healthy()
    seen.topics, seen.registry, seen.other_prefixes = {}, None, ["driftline", "test"]
    assert one(seen).what == (
        "Topics of the prefix shop are missing (all; this cluster has driftline, test)."
    )


def test_measured_halves_replace_the_figure_of_the_load_tests() -> None:
    seen = healthy()
    seen.kept = KeptState((), 0, 2_000, 1_000_000)
    assert "(500 B each, measured here)" in waiting.told(seen)
