"""Append commands for the registry's owner, and see whether there is one."""

from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient

from driftline.runtime.errors import DriftlineError
from driftline.runtime.kafka_log import SILENT
from driftline_schemas.codec import encode
from driftline_schemas.registry import RegistryCommand
from driftline_schemas.topics import REGISTRY_COMMANDS, consumer_group

SECONDS: Final = 5.0
MAX_COMMAND_BYTES: Final = 1_000_000


class CommandNotSentError(DriftlineError):
    """The broker did not take the command in time; it may have it all the same."""


class CommandUnfitError(DriftlineError):
    """No broker would take the command: it is to be given otherwise."""


def written(command: RegistryCommand) -> bytes:
    """The command as it goes on the wire. CommandUnfitError if it cannot."""
    try:
        raw = encode(command)
    except (TypeError, ValueError, OverflowError):  # orjson's, pydantic's, a time's
        raise CommandUnfitError(
            "The command holds a number or a text that JSON cannot say, or is nested too deeply."
        ) from None
    if len(raw) > MAX_COMMAND_BYTES:
        raise CommandUnfitError(
            f"The command has {len(raw):,} bytes, over the limit of {MAX_COMMAND_BYTES:,}."
        )
    return raw


class CommandLog:
    """Appends to `registry-commands`; safe to call from several threads."""

    def __init__(self, brokers: str, prefix: str) -> None:
        self._brokers = brokers
        self._topic = REGISTRY_COMMANDS.full_name(prefix)
        self._producer = Producer(
            {
                "bootstrap.servers": brokers,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 0,
                "message.timeout.ms": int(SECONDS * 1_000),
                "message.max.bytes": 1_048_576,
            },
            logger=SILENT,
        )

    def append(self, command: RegistryCommand) -> None:
        """Returns when the broker has it. CommandUnfitError, or CommandNotSentError."""
        raw = written(command)
        failed: list[KafkaError] = []

        def report(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                failed.append(error)

        try:
            self._producer.produce(self._topic, raw, partition=0, on_delivery=report)
            left = self._producer.flush(SECONDS + 1)
        except KafkaException as error:
            raise CommandNotSentError(f"Kafka refused: {error.args[0].str()}.") from None
        if failed or left:
            raise CommandNotSentError(f"No broker took the command at {self._brokers}.")


# A broker that has never had a group has no coordinator either.
NO_GROUP: Final = frozenset({"GROUP_ID_NOT_FOUND", "COORDINATOR_NOT_AVAILABLE"})


def has_owner(brokers: str, prefix: str) -> bool:
    """Whether a registry service is a member of its group now."""
    group = consumer_group(prefix, "registry")
    admin = AdminClient({"bootstrap.servers": brokers}, logger=SILENT)
    future = admin.describe_consumer_groups([group], request_timeout=SECONDS)[group]
    try:
        return bool(future.result(SECONDS + 1).members)
    except TimeoutError:
        raise DriftlineError(f"No broker answers at {brokers}.") from None
    except KafkaException as error:
        if error.args[0].name() in NO_GROUP:
            return False
        raise DriftlineError(f"No broker answers at {brokers}.") from None
