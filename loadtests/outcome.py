"""What a run left behind: records of the topics and their bytes, waiting halves in Redis."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import orjson
import redis
from confluent_kafka import Consumer, TopicPartition
from kafka.admin import KafkaAdminClient

from driftline_schemas.topics import JOURNAL, PREDICTIONS, TOPICS, Topic, consumer_group

READ_SECONDS: Final = 5.0
BATCH: Final = 5_000


def joined_pairs(brokers: str, prefix: str) -> int:
    """Distinct pairs in the journal; what was written twice has the same label position."""
    pairs: set[tuple[int, int]] = set()
    for message in messages(brokers, prefix, JOURNAL):
        record = orjson.loads(message.value())
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


def messages(brokers: str, prefix: str, topic: Topic) -> Iterator[Any]:
    """All records of a topic up to its present end."""
    name, partitions = topic.full_name(prefix), range(topic.partitions)
    consumer: Any = Consumer(
        {"bootstrap.servers": brokers, "group.id": "loadtest", "enable.auto.commit": False}
    )
    places = [TopicPartition(name, partition, 0) for partition in partitions]
    left = sum(consumer.get_watermark_offsets(place)[1] for place in places)
    consumer.assign(places)
    while left > 0 and (found := consumer.consume(min(left, BATCH), READ_SECONDS)):
        left -= len(found)
        yield from found
    consumer.close()


def topic_bytes(brokers: str, prefix: str) -> dict[str, int]:
    """Bytes on disk by topic, of all replicas together, without indexes."""
    names = {topic.full_name(prefix): topic.name for topic in TOPICS}
    with closing(KafkaAdminClient(bootstrap_servers=brokers)) as admin:
        found = admin.describe_log_dirs(list(names))
    sizes: dict[str, int] = dict.fromkeys(names.values(), 0)
    for topic in (
        topic for broker in found for log in broker["log_dirs"] for topic in log["topics"]
    ):
        sizes[names[topic["name"]]] += sum(each["partition_size"] for each in topic["partitions"])
    return sizes
