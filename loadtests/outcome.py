"""What a run left behind: joined pairs in the journal, waiting halves in Redis."""

from collections.abc import Iterator
from typing import Any, Final

import orjson
import redis
from confluent_kafka import Consumer, TopicPartition

from driftline_schemas.topics import JOURNAL, PREDICTIONS, consumer_group

READ_SECONDS: Final = 5.0
BATCH: Final = 5_000


def joined_pairs(brokers: str, prefix: str) -> int:
    """Distinct pairs in the journal; what was written twice has the same label position."""
    pairs: set[tuple[int, int]] = set()
    for value in _values(brokers, JOURNAL.full_name(prefix), JOURNAL.partitions):
        record = orjson.loads(value)
        if record["kind"] == "joined":
            pairs.add(tuple(record["label_tp"]))
    return len(pairs)


def halves_in_redis(redis_url: str, prefix: str) -> int:
    """Predictions that wait in Redis."""
    group = consumer_group(prefix, "joiner")
    with redis.Redis.from_url(redis_url) as client:
        pipe = client.pipeline(transaction=False)
        for partition in range(PREDICTIONS.partitions):
            pipe.hlen(f"{{{group}:{partition}}}:halves")
        return sum(pipe.execute())


def _values(brokers: str, topic: str, partitions: int) -> Iterator[bytes]:
    """All records of a topic up to its present end."""
    consumer: Any = Consumer(
        {"bootstrap.servers": brokers, "group.id": "loadtest", "enable.auto.commit": False}
    )
    places = [TopicPartition(topic, partition, 0) for partition in range(partitions)]
    left = sum(consumer.get_watermark_offsets(place)[1] for place in places)
    consumer.assign(places)
    while left > 0 and (messages := consumer.consume(min(left, BATCH), READ_SECONDS)):
        left -= len(messages)
        yield from (message.value() for message in messages)
    consumer.close()
