"""What do the roles' consumer groups read, how far are they, and who is in them?"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any, Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # exported

from driftline.runtime.command_log import NO_GROUP
from driftline.runtime.errors import DriftlineError
from driftline.runtime.kafka_log import SILENT
from driftline.runtime.ports import TP
from driftline.runtime.registry_log import NO_TOPIC
from driftline_schemas.topics import (
    ALERTS,
    JOURNAL,
    LABELS,
    PREDICTIONS,
    REGISTRY_COMMANDS,
    ROLES,
    Topic,
    consumer_group,
)

SECONDS: Final = 8.0
AGAIN_SECONDS: Final = 0.1
# A moment after topics were created, or a broker came back.
UNSETTLED: Final = frozenset({
    "NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE", "FENCED_LEADER_EPOCH",
    "UNKNOWN_LEADER_EPOCH",
})  # fmt: skip
INPUTS: Final[Mapping[str, tuple[Topic, ...]]] = {
    "joiner": (PREDICTIONS, LABELS),
    "monitor": (JOURNAL,),
    "learner": (JOURNAL,),
    "registry": (REGISTRY_COMMANDS,),
    "alerter": (ALERTS,),
}


@dataclass(frozen=True, slots=True)
class Member:
    """A process of a group, and what it was given to read."""

    name: str
    host: str
    partitions: int


@dataclass(frozen=True, slots=True)
class RoleLook:
    """One role at one moment: members, first, committed and end offsets of its inputs."""

    role: str
    at: float  # seconds, monotonic
    members: Sequence[Member]
    begins: Mapping[TP, int]
    ends: Mapping[TP, int]
    committed: Mapping[TP, int]

    def lag(self, tp: TP) -> int:
        """Records not committed yet; without a commit all that the partition holds."""
        return max(0, self.ends[tp] - self.committed.get(tp, self.begins[tp]))

    @property
    def total_lag(self) -> int:
        """Over all its partitions."""
        return sum(self.lag(tp) for tp in self.ends)

    @property
    def has_run(self) -> bool:
        """Whether its group has ever committed."""
        return bool(self.committed)


class GroupLooks:
    """Asks one broker again and again; join no group, change nothing."""

    def __init__(self, brokers: str, prefix: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": brokers}, logger=SILENT)
        self._brokers = brokers
        self._prefix = prefix

    def look(self, roles: Collection[str] = ROLES) -> dict[str, RoleLook]:
        """The roles now. DriftlineError: no broker, or a topic is missing."""
        tps = {role: self._inputs(role) for role in roles}
        every = {tp for of_role in tps.values() for tp in of_role}
        members = {role: self.members(role) for role in roles}
        committed = {role: self._committed(role) for role in roles}
        begins, ends, at = self.begins(every), self.ends(every), monotonic()
        return {
            role: RoleLook(
                role,
                at,
                members[role],
                {tp: begins[tp] for tp in tps[role]},
                {tp: ends[tp] for tp in tps[role]},
                {tp: n for tp, n in committed[role].items() if tp in tps[role]},
            )
            for role in roles
        }

    def offsets(self, tps: Collection[TP], spec: Any) -> dict[TP, int]:
        """Offsets of partitions as `spec` asks: the first, the end, or those of a time."""
        if not tps:
            return {}
        wanted = {TopicPartition(tp.topic, tp.partition): spec for tp in tps}
        try:
            return self._settled_offsets(wanted)
        except KafkaException as error:
            code = error.args[0]
            if code.name() in NO_TOPIC or "No leaders found" in code.str():  # of several topics
                raise DriftlineError(
                    f"The topics of {self._prefix} are not all there: run `driftline topics init`,"
                    " or check DRIFTLINE_TOPIC_PREFIX."
                ) from None
            raise DriftlineError(f"Kafka refused: {code.str()}.") from None
        except TimeoutError:
            raise DriftlineError(f"No broker answers at {self._brokers}.") from None

    def _settled_offsets(self, wanted: dict[TopicPartition, Any]) -> dict[TP, int]:
        """Asks again while a leader does not know yet that it is one."""
        give_up = monotonic() + SECONDS
        while True:
            futures = self._admin.list_offsets(wanted, request_timeout=SECONDS)
            try:
                return {
                    TP(tp.topic, tp.partition): future.result(SECONDS + 1).offset
                    for tp, future in futures.items()
                }
            except KafkaException as error:
                if error.args[0].name() not in UNSETTLED or monotonic() > give_up:
                    raise
            sleep(AGAIN_SECONDS)

    def ends(self, tps: Collection[TP]) -> dict[TP, int]:
        """The offset that the next record of each partition will get."""
        return self.offsets(tps, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def begins(self, tps: Collection[TP]) -> dict[TP, int]:
        """The first offset that each partition still has."""
        return self.offsets(tps, OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def since(self, tps: Collection[TP], time: int) -> dict[TP, int]:
        """The first offset of each partition at or after `time` (ms); its end if there is none."""
        found = self.offsets(tps, OffsetSpec.for_timestamp(time))
        beyond = [tp for tp, offset in found.items() if offset < 0]
        return found | self.ends(beyond)

    def members(self, role: str) -> list[Member]:
        """The processes in the role's group."""
        group = consumer_group(self._prefix, role)
        future = self._admin.describe_consumer_groups([group], request_timeout=SECONDS)[group]
        try:
            described = future.result(SECONDS + 1)
        except KafkaException as error:
            if error.args[0].name() in NO_GROUP:
                return []
            raise DriftlineError(f"Kafka refused: {error.args[0].str()}.") from None
        except TimeoutError:
            raise DriftlineError(f"No broker answers at {self._brokers}.") from None
        return [
            Member(
                member.group_instance_id or member.client_id,
                member.host.lstrip("/"),
                len(member.assignment.topic_partitions) if member.assignment else 0,
            )
            for member in described.members
        ]

    def _committed(self, role: str) -> dict[TP, int]:
        group = consumer_group(self._prefix, role)
        asked = [ConsumerGroupTopicPartitions(group)]
        future = self._admin.list_consumer_group_offsets(asked, request_timeout=SECONDS)[group]
        try:
            found = future.result(SECONDS + 1).topic_partitions
        except KafkaException as error:
            if error.args[0].name() in NO_GROUP:
                return {}
            raise DriftlineError(f"Kafka refused: {error.args[0].str()}.") from None
        except TimeoutError:
            raise DriftlineError(f"No broker answers at {self._brokers}.") from None
        return {TP(tp.topic, tp.partition): tp.offset for tp in found if tp.offset >= 0}

    def _inputs(self, role: str) -> list[TP]:
        return [
            TP(topic.full_name(self._prefix), partition)
            for topic in INPUTS[role]
            for partition in range(topic.partitions)
        ]


def all_of(topic: Topic, prefix: str) -> list[TP]:
    """The partitions of a topic."""
    return [TP(topic.full_name(prefix), partition) for partition in range(topic.partitions)]
