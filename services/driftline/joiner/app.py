"""Build the joiner: predictions and labels in, one journal per model out."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import structlog

from driftline.core.joining.matching import Limits
from driftline.joiner.bins import BinsInForce, follow
from driftline.joiner.snapshot import Overlay
from driftline.joiner.state import JoinerState
from driftline.joiner.store import JoinPayload, JoinStore
from driftline.runtime import metrics
from driftline.runtime.clock import SystemClock
from driftline.runtime.dead_letters import DeadLetters
from driftline.runtime.keeper import Keeper
from driftline.runtime.outputs import KafkaOutputs
from driftline.runtime.ports import TP, Clock, Opening, Outputs, StoreUnavailableError
from driftline.runtime.redis_states import connect
from driftline.runtime.registry_follower import RegistryFollower
from driftline.runtime.service import Service
from driftline.runtime.settings import Settings
from driftline_schemas.codec import encode
from driftline_schemas.journal import Mark
from driftline_schemas.topics import JOURNAL, LABELS, PREDICTIONS, consumer_group

log = structlog.get_logger(__name__)

ROLE = "joiner"
LEAD_MS = 1_000
EXPIRE_SECONDS = 1.0
MOST_SECONDS_BETWEEN_MARKS = 10.0
# A record may have its append time and not be readable yet: an idle partition's time stays behind.
IDLE_MARGIN_MS = 1_000


def build(settings: Settings) -> Service[JoinPayload]:
    """The joiner as a service."""
    prefix, clock = settings.topic_prefix, SystemClock()
    outputs = KafkaOutputs(settings.brokers, f"{prefix}.{ROLE}.{settings.replica}")
    store = JoinStore(connect(settings.redis_url), consumer_group(prefix, ROLE))
    bins = BinsInForce(lead_ms=settings.bins_lead_seconds * 1_000)
    dead_letters = DeadLetters(outputs, prefix, ROLE)
    follower = RegistryFollower(settings.brokers, prefix, action="apply_spec")  # with its bins

    async def open_state(opening: Opening[JoinPayload]) -> JoinerState:
        return JoinerState(
            opening,
            prefix=prefix,
            limits=Limits(settings.label_horizon_ms, settings.repeat_window_ms),
            overlay=overlay_of(settings),
            pane_seconds=settings.pane_seconds,
            store=store,
            bins=bins,
            dead_letters=dead_letters,
        )

    async def follow_registry(_keeper: Keeper[Any]) -> None:
        await follow(bins, follower.read_new, clock)

    async def tell_time(keeper: Keeper[Any]) -> None:
        every = min(MOST_SECONDS_BETWEEN_MARKS, settings.pane_seconds)
        while True:
            await asyncio.sleep(every)
            await send_counts_and_marks(keeper, outputs, prefix, clock)

    async def expire(keeper: Keeper[Any]) -> None:
        while True:
            await asyncio.sleep(EXPIRE_SECONDS)
            await expire_halves(keeper, prefix, clock)

    return Service(
        role=ROLE,
        topics=(PREDICTIONS, LABELS),
        outputs=outputs,
        open_state=open_state,
        store=store,
        lead_ms=LEAD_MS,
        background=(follow_registry, tell_time, expire),
    )


def overlay_of(settings: Settings) -> Overlay:
    """Each partition's part of what one joiner, owning all of them, may hold in memory."""
    return Overlay(
        age_ms=int(settings.joiner_memory_seconds * 1_000),
        max_bytes=int(settings.joiner_memory_mb * 1024 * 1024 / PREDICTIONS.partitions),
    )


def _states(keeper: Keeper[Any]) -> dict[int, JoinerState]:
    owned = {tp.partition for tp in keeper.owned}
    return {p: cast("JoinerState", s) for p, s in keeper.states.items() if p in owned}


def _time_reached(keeper: Keeper[Any], state: JoinerState, topic: str, clock: Clock) -> int:
    """How far a partition was read: its append times, or the clock when nothing is left in it."""
    tp = TP(topic, state.partition)
    idle = keeper.reader.highwater(tp) is not None and keeper.lag(tp) == 0 and state.ready()
    time = state.time(topic)
    return max(time, clock.now() - IDLE_MARGIN_MS) if idle else time


async def send_counts_and_marks(
    keeper: Keeper[Any], outputs: Outputs, prefix: str, clock: Clock
) -> None:
    """Changed counts first, then to every journal partition how far the inputs were read.

    The times are taken before the store confirms that the partitions are still ours: a worker that
    was frozen and woke again cannot tell a time of partitions that others read now.
    """
    topic = PREDICTIONS.full_name(prefix)
    times: dict[int, int] = {}
    for partition, state in _states(keeper).items():
        state.send_counts()
        if time := _time_reached(keeper, state, topic, clock):
            times[partition] = time
    try:
        owned = await keeper.still_owned()
    except StoreUnavailableError as error:
        log.warning("mark_skipped", reason=str(error))
        return
    confirmed = {p: time for p, time in times.items() if p in owned}
    if confirmed:
        mark = encode(Mark(times=confirmed))
        for partition in range(JOURNAL.partitions):
            outputs.produce(JOURNAL.full_name(prefix), mark, partition=partition)


async def expire_halves(keeper: Keeper[Any], prefix: str, clock: Clock) -> None:
    """Report what waited too long, in every partition of ours."""
    topics = [topic.full_name(prefix) for topic in (PREDICTIONS, LABELS)]
    waiting = [0, 0, 0]
    for state in _states(keeper).values():
        times: Mapping[str, int] = {t: _time_reached(keeper, state, t, clock) for t in topics}
        try:
            await state.expire(times)
        except StoreUnavailableError as error:
            log.warning("expiry_skipped", reason=str(error))
        waiting = [a + b for a, b in zip(waiting, state.waiting(), strict=True)]
    for kind, count in zip(("prediction", "label", "remainder"), waiting, strict=True):
        metrics.WAITING.labels(kind).set(count)
