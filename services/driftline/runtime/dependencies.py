"""Wait until the servers are there and agree with this process; one log line per attempt."""

import asyncio

import structlog
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from driftline.runtime.errors import DriftlineError
from driftline.runtime.health import Health
from driftline.runtime.installation import check_installation
from driftline.runtime.kafka_log import SILENT
from driftline.runtime.ports import StoreUnavailableError
from driftline.runtime.redis_states import bounded, connect
from driftline.runtime.registry_log import RegistryUnreachableError
from driftline.runtime.settings import Settings
from driftline_schemas.topics import TOPICS

log = structlog.get_logger(__name__)

RETRY_SECONDS = 2.0
ADMIN_SECONDS = 5.0


class NotYetError(Exception):
    """A server is away; try again."""


async def await_dependencies(
    settings: Settings, needs_redis: bool, health: Health
) -> dict[str, str]:
    """Topic ids by full name, once broker, topics and Redis answer.

    Raises DriftlineError for what waiting does not mend (other settings, wrong partitions).
    """
    while True:
        try:
            ids = await asyncio.to_thread(describe_topics, settings)
            if needs_redis:
                await _ping(settings.redis_url)
            await asyncio.to_thread(check_installation, settings)
        except (NotYetError, RegistryUnreachableError) as error:
            health.not_ready = str(error)
            log.warning("waiting", reason=str(error))
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return ids


def describe_topics(settings: Settings) -> dict[str, str]:
    """The ids of our topics; NotYetError while the broker or a topic is missing."""
    names = {topic.full_name(settings.topic_prefix): topic for topic in TOPICS}
    admin = AdminClient({"bootstrap.servers": settings.brokers}, logger=SILENT)
    futures = admin.describe_topics(TopicCollection(list(names)), request_timeout=ADMIN_SECONDS)
    ids: dict[str, str] = {}
    for name, future in futures.items():
        try:
            description = future.result()
        except KafkaException as error:
            raise NotYetError(_why(settings, name, error)) from None
        if len(description.partitions) != names[name].partitions:
            raise DriftlineError(
                f"topic {name} has {len(description.partitions)} partitions instead of"
                f" {names[name].partitions}: partition counts are fixed for life"
            )
        ids[name] = str(description.topic_id)
    return ids


def _why(settings: Settings, name: str, error: KafkaException) -> str:
    code = error.args[0].name() if error.args else ""
    if code == "UNKNOWN_TOPIC_OR_PART":
        return f"topic {name} is missing: run `driftline topics init`"
    return f"no broker answers at {settings.brokers}"


async def _ping(url: str) -> None:
    client = connect(url)
    try:
        await bounded(client.ping())
    except StoreUnavailableError:
        raise NotYetError("no Redis answers at DRIFTLINE_REDIS_URL") from None
    finally:
        await client.aclose()
