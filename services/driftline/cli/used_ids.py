"""Were these prediction ids sent before? Looks at the newest predictions of their partitions."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

import orjson

from driftline.runtime.errors import DriftlineError
from driftline.runtime.group_looks import GroupLooks, all_of
from driftline.runtime.log_reading import read_stretches
from driftline.runtime.ports import TP
from driftline.runtime.settings import Settings
from driftline_schemas.partitioner import partition_of
from driftline_schemas.topics import PREDICTIONS

SEARCHED: Final = 5_000  # records of a partition
SECONDS: Final = 3.0

Ends = Mapping[TP, int]


def ends_of_predictions(settings: Settings) -> Ends:
    """Where the partitions end now: what is sent from here on is not what was sent before."""
    groups = GroupLooks(settings.brokers, settings.topic_prefix)
    return groups.ends(all_of(PREDICTIONS, settings.topic_prefix))


def used_before(settings: Settings, ends: Ends, model: str, ids: Iterable[str]) -> str | None:
    """One of the ids that lies before `ends`; None if none is found in a few seconds."""
    wanted = set(ids)
    topic = PREDICTIONS.full_name(settings.topic_prefix)
    tps = {TP(topic, partition_of(each, PREDICTIONS.partitions)) for each in wanted}
    stretches = {tp: (max(0, ends[tp] - SEARCHED), ends[tp]) for tp in tps}
    with suppress(DriftlineError):  # a hint is no reason to fail
        for message in read_stretches(settings.brokers, stretches, seconds=SECONDS):
            with suppress(orjson.JSONDecodeError, AttributeError):
                event = orjson.loads(message.value() or b"")
                if event.get("model") == model and event.get("prediction_id") in wanted:
                    return str(event["prediction_id"])
    return None
