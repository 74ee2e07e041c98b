"""The least that a joiner could cost: consume both topics and produce a record for every label.

Run as a process of its own, so that its CPU is counted as the joiner's is: everything included.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from time import process_time
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from driftline.runtime.outputs import producer_settings
from driftline_schemas.topics import JOURNAL, LABELS, PREDICTIONS

RECORD: Final = b"x" * 760  # as large as a joined record
MOST_RECORDS: Final = 4_000  # what the services ask for at once


async def run(brokers: str, prefix: str, pairs: int) -> float:
    """CPU seconds of this process for reading `pairs` of both topics and writing as many."""
    failures: list[Any] = []
    producer = Producer(
        {
            **producer_settings(brokers, "floor"),
            "on_delivery": lambda error, _message: failures.append(error),
        }
    )
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest")
    consumer.assign(
        [
            TopicPartition(topic.full_name(prefix), partition)
            for topic in (PREDICTIONS, LABELS)
            for partition in range(topic.partitions)
        ]
    )
    await consumer.start()
    began = process_time()
    await _pass_through(consumer, producer, LABELS.full_name(prefix), target(prefix), pairs)
    await asyncio.to_thread(producer.flush)
    spent = process_time() - began
    await consumer.stop()
    if failures:
        raise RuntimeError(f"the broker refused records: {failures[0]}")
    return spent


def target(prefix: str) -> str:
    """The topic that the floor writes to."""
    return f"{prefix}.floor"


def create_target(brokers: str, prefix: str) -> None:
    """Make that topic, with as many partitions as the journal."""
    admin = AdminClient({"bootstrap.servers": brokers})
    topic = NewTopic(target(prefix), num_partitions=JOURNAL.partitions, replication_factor=1)
    for made in admin.create_topics([topic]).values():
        made.result()


async def _pass_through(consumer: Any, producer: Any, labels: str, target: str, pairs: int) -> None:
    left = 2 * pairs
    while left > 0:
        fetched = await consumer.getmany(timeout_ms=1_000, max_records=MOST_RECORDS)
        for place, records in fetched.items():
            left -= len(records)
            if place.topic == labels:
                _produce(producer, target, len(records))


def _produce(producer: Any, target: str, count: int) -> None:
    for _ in range(count):
        while True:
            try:
                producer.produce(target, RECORD, "load")
            except BufferError:
                producer.poll(0.05)
            else:
                break
    producer.poll(0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.floor", description=__doc__)
    parser.add_argument("brokers")
    parser.add_argument("prefix")
    parser.add_argument("pairs", type=int)
    options = parser.parse_args(arguments)
    spent = asyncio.run(run(options.brokers, options.prefix, options.pairs))
    print(orjson.dumps({"cpu_seconds": spent}).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
