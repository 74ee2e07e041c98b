"""What the batch consumer relies on inside faust-streaming and aiokafka, which are not public.

A failure means that an upgrade changed it: read the new source, compare it with
runtime/faust_consumer.py, run the exactness suite, then pin the new version and its hashes.
"""

import inspect
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.assignor.partition_assignor import PartitionAssignor
from faust.transport.consumer import Consumer, ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver

from driftline.runtime.faust_consumer import BatchConsumer, BatchTransport

# Replaced, or called around ours: their source, not only their signature, must stay.
SOURCES: dict[str, tuple[Callable[..., Any], str]] = {
    "Consumer._drain_messages": (Consumer._drain_messages, "44a2500309e83c63"),
    "Consumer.perform_seek": (Consumer.perform_seek, "0e8c130ff4b0afd8"),
    "Consumer.wait_empty": (Consumer.wait_empty, "e4662fe24f094819"),
    "Consumer._commit_offsets": (Consumer._commit_offsets, "1a69799041188441"),
    "Consumer._get_active_partitions": (Consumer._get_active_partitions, "b24897f3c7afdb5d"),
    "Consumer.on_partitions_revoked": (Consumer.on_partitions_revoked, "d04b7ae72c6fc206"),
    "Consumer.on_partitions_assigned": (Consumer.on_partitions_assigned, "29ce96596f05a18c"),
    "ThreadDelegateConsumer._getmany": (ThreadDelegateConsumer._getmany, "f9d47aa9010b5ff2"),
    "ThreadDelegateConsumer.seek_wait": (ThreadDelegateConsumer.seek_wait, "e9db5bbc4ceb2543"),
    "thread.getmany": (driver.AIOKafkaConsumerThread.getmany, "26fc5fc9f3b667e1"),
    "thread._fetch_records": (driver.AIOKafkaConsumerThread._fetch_records, "39a2c6c79fc1455a"),
    "thread.on_start": (driver.AIOKafkaConsumerThread.on_start, "38b4e8bd1e10723a"),
    "thread._seek_wait": (driver.AIOKafkaConsumerThread._seek_wait, "9d221e816d940467"),
    "thread.highwater": (driver.AIOKafkaConsumerThread.highwater, "6f7dbe109ae6807f"),
    "thread._highwaters": (driver.AIOKafkaConsumerThread._highwaters, "a7f4f97d9f32aca2"),
    "thread.earliest_offsets": (driver.AIOKafkaConsumerThread.earliest_offsets, "5d697cd768735af7"),
    "Consumer._new_consumer_thread": (driver.Consumer._new_consumer_thread, "0870ec53dea75083"),
    "thread._create_worker_consumer": (
        driver.AIOKafkaConsumerThread._create_worker_consumer,
        "c2701bfc3e6f6cad",
    ),
    "AIOKafkaConsumer.start": (AIOKafkaConsumer.start, "2f1ba70443327538"),
    "PartitionAssignor._get_copartitioned_groups": (
        PartitionAssignor._get_copartitioned_groups.__func__,  # type: ignore[attr-defined]  # a class method
        "82b7a3764ad596f6",
    ),
    "AIOKafkaClient.force_metadata_update": (
        AIOKafkaClient.force_metadata_update,
        "cb7befef21c8f3f9",
    ),
    "aiokafka Fetcher.fetched_records": (Fetcher.fetched_records, "be4348896b9b66af"),
    "aiokafka Fetcher._proc_fetch_request": (Fetcher._proc_fetch_request, "59bf948fff47eed5"),
    "aiokafka Fetcher.close": (Fetcher.close, "1cd24bc1c442149e"),
    "aiokafka GroupCoordinator.request_rejoin": (
        GroupCoordinator.request_rejoin,
        "f70a261c91c38cb5",
    ),
}


@pytest.mark.parametrize(
    ("package", "pinned"), [("faust-streaming", "0.15.3"), ("aiokafka", "0.14.0")]
)
def test_the_versions_are_those_that_were_read(package: str, pinned: str) -> None:
    assert version(package) == pinned


@pytest.mark.parametrize(("method", "known"), SOURCES.values(), ids=list(SOURCES))
def test_a_private_method_has_not_changed(method: Callable[..., Any], known: str) -> None:
    source = inspect.getsource(inspect.unwrap(method))
    assert sha256(source.encode()).hexdigest()[:16] == known


@pytest.mark.parametrize(
    "name", ["_drain_messages", "perform_seek", "verify_event_path", "wait_empty"]
)
def test_an_override_has_the_signature_of_what_it_replaces(name: str) -> None:
    ours, theirs = getattr(BatchConsumer, name), getattr(driver.Consumer, name)
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
    assert ours is not theirs


def test_the_transport_builds_our_consumer() -> None:
    assert issubclass(driver.Transport.Consumer, driver.Consumer)
    assert BatchTransport.Consumer is BatchConsumer


def test_the_drivers_consumer_runs_in_a_thread_of_its_own() -> None:
    """Heartbeats go on while our loop is busy, and the seek of an assignment is awaited there."""
    assert issubclass(driver.Consumer, ThreadDelegateConsumer)
    assert "self._thread" in inspect.getsource(ThreadDelegateConsumer)
