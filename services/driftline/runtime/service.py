"""Run one role as a process: health first, then its servers, then Faust, until told to stop."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import faust
import structlog

from driftline.core.arrival_order import ArrivalOrder
from driftline.runtime import health, logs, metrics
from driftline.runtime.clock import SystemClock
from driftline.runtime.dead_letters import DeadLetters
from driftline.runtime.dependencies import await_dependencies
from driftline.runtime.errors import DriftlineError
from driftline.runtime.faust_consumer import BatchApp, BatchTransport, FaustReader
from driftline.runtime.health import Health
from driftline.runtime.keeper import Keeper, ServiceFailureError
from driftline.runtime.ports import Open, Outputs, Payload, StateStore
from driftline.runtime.process_lock import only_one
from driftline.runtime.settings import Settings
from driftline.runtime.watchdog import Watchdog
from driftline_schemas.topics import Topic, consumer_group

log = structlog.get_logger(__name__)

CHECKPOINT_SECONDS = 2.0
WATCH_SECONDS = 0.5
SESSION_SECONDS = 8.0
HEARTBEAT_SECONDS = 2.0
STOP_SECONDS = 12.0
COLLECT_EVERY = (50_000, 20, 50)  # Python's own: 700, 10, 10

T = TypeVar("T")
Background = Callable[[Keeper[Any]], Awaitable[None]]


@dataclass(slots=True)
class Service(Generic[Payload]):
    """What distinguishes one role from another."""

    role: str
    topics: Sequence[Topic]  # co-partitioned
    outputs: Outputs
    open_state: Open[Payload]
    store: StateStore[Payload] | None
    lead_ms: int | None = None  # None: partitions are independent of each other
    chunk: int = 500  # records that are applied at once, before anything else gets its turn
    background: Sequence[Background] = field(default_factory=tuple)


def run(role: str, build: Callable[[Settings], Service[Any]], settings: Settings) -> int:
    """The process's main function; its exit code. What `build` says is logged as all the rest."""
    logs.configure(role, settings.log_level.upper())
    try:
        service = build(settings)
        with only_one(settings, role):
            return asyncio.run(_run_or_exit(service, settings))
    except DriftlineError as error:
        log.error("stopped", reason=str(error))
        return 1


async def _run_or_exit(service: Service[Any], settings: Settings) -> int:
    """A failed process must end, whatever its threads wait for: the orchestrator restarts it."""
    try:
        return await _Process(service, settings).run()
    except DriftlineError as error:
        log.error("stopped", reason=str(error))
    except Exception as error:
        log.error("stopped", reason="a bug", exc_info=error)
    logging.shutdown()
    os._exit(1)


class _Process:
    """One role's life, from the first probe to the last commit."""

    def __init__(self, service: Service[Any], settings: Settings) -> None:
        self._service = service
        self._settings = settings
        self._health = Health()
        self._stop = asyncio.Event()
        self._clock = SystemClock()
        self._keeper: Keeper[Any] | None = None

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        settings = self._settings
        runner = await health.serve(
            self._health, self._refresh, settings.metrics_host, settings.metrics_port or 0
        )
        log.info("starting", health_port=self._health.port, pid=os.getpid())
        needs_redis = self._service.store is not None
        found = self._unless_stopped(await_dependencies(settings, needs_redis, self._health))
        if (topic_ids := await found) is not None:
            await self._work(topic_ids)
        await runner.cleanup()
        log.info("stopped")
        return 0

    async def _unless_stopped(self, work: Awaitable[T]) -> T | None:
        """The result, or None when SIGTERM came first."""
        task, stop = asyncio.ensure_future(work), asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if task.done():
            return task.result()
        task.cancel()
        return None

    async def _work(self, topic_ids: dict[str, str]) -> None:
        self._keeper = keeper = self._build_keeper(topic_ids)
        app = build_app(self._settings, self._service, keeper)
        tasks = [asyncio.create_task(self._checkpoints(keeper))]
        tasks += [asyncio.create_task(_named(job, keeper)) for job in self._service.background]
        _collect_garbage_rarely()
        try:
            await self._unless_stopped(app.start())
            await self._watch(app, keeper, tasks)
        finally:
            await _stop_in_time(app, keeper)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _build_keeper(self, topic_ids: dict[str, str]) -> Keeper[Any]:
        service, prefix = self._service, self._settings.topic_prefix
        return Keeper(
            topics=[topic.full_name(prefix) for topic in service.topics],
            open_state=service.open_state,
            store=service.store,
            outputs=service.outputs,
            poison=DeadLetters(service.outputs, prefix, service.role),
            clock=self._clock,
            topic_ids=topic_ids,
            order=ArrivalOrder(lead_ms=service.lead_ms, chunk=service.chunk),
        )

    async def _checkpoints(self, keeper: Keeper[Any]) -> None:
        while True:
            await asyncio.sleep(CHECKPOINT_SECONDS)
            await keeper.checkpoint()

    async def _watch(
        self, app: BatchApp, keeper: Keeper[Any], tasks: Sequence["asyncio.Task[None]"]
    ) -> None:
        """Until SIGTERM; raises as soon as something says that this process cannot go on."""
        watchdog = Watchdog(keeper, self._clock)
        while not self._stop.is_set():
            if app.failure is not None:
                raise _failure(app.failure)
            if app.crashed or app.should_stop:
                raise ServiceFailureError(f"the consumer ended: {app.crash_reason!r}")
            for task in tasks:
                if task.done():
                    raise _failure(task.exception())
            watchdog.check()
            self._note_readiness(keeper)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), WATCH_SECONDS)

    def _note_readiness(self, keeper: Keeper[Any]) -> None:
        before, owned = self._health.not_ready, len(keeper.owned)
        self._health.not_ready = None if owned else "no partitions are assigned yet"
        if before is not None and owned:
            log.info("ready", partitions=owned)

    def _refresh(self) -> None:
        metrics.READY.set(0 if self._health.not_ready else 1)
        keeper = self._keeper
        if keeper is None:
            return
        for topic in keeper.topics:
            lags = [keeper.lag(tp) for tp in keeper.owned if tp.topic == topic]
            metrics.CONSUMER_LAG.labels(topic).set(sum(lags))


def _collect_garbage_rarely() -> None:
    """Reference counts free records and states; looking for cycles among them cost a fifth."""
    gc.collect()
    gc.freeze()  # what was imported stays for the life of the process
    gc.set_threshold(*COLLECT_EVERY)


async def _stop_in_time(app: BatchApp, keeper: Keeper[Any]) -> None:
    """Stop Faust; a join that waits for another member's session is not waited for.

    Then nothing is owned, so nothing is lost. Were something owned and not saved, it would be
    replayed: the exit code says so.
    """
    stopping = asyncio.ensure_future(app.stop())
    await asyncio.wait({stopping}, timeout=STOP_SECONDS)
    if not stopping.done():
        log.warning("stopped", reason="Faust did not stop in time", unsaved=bool(keeper.owned))
        logging.shutdown()
        os._exit(1 if keeper.owned else 0)
    stopping.result()


async def _named(job: Background, keeper: Keeper[Any]) -> None:
    await job(keeper)


def _failure(error: BaseException | None) -> Exception:
    if isinstance(error, DriftlineError):
        return error
    log.error("unexpected", exc_info=error)
    return ServiceFailureError(f"unexpected end: {error!r}")


def build_app(settings: Settings, service: Service[Any], keeper: Keeper[Any]) -> BatchApp:
    """A Faust app that only subscribes: group membership is Faust's, the records are ours."""
    app = BatchApp(
        consumer_group(settings.topic_prefix, service.role),
        broker=[f"kafka://{broker.strip()}" for broker in settings.brokers.split(",")],
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=1,  # 0 would put partitions of the two topics on different workers
        stream_wait_empty=True,
        broker_max_poll_records=4_000,
        broker_max_poll_interval=10_000_000.0,  # a worker without partitions must not leave
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=HEARTBEAT_SECONDS,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.replica,
    )
    keeper.reader = FaustReader(app)
    app.keeper = keeper
    app.transport = BatchTransport(app.conf.broker_consumer, app)
    topics = app.topic(*sorted(keeper.topics), value_type=bytes, value_serializer="raw")

    async def subscribe(stream: faust.StreamT[bytes]) -> None:
        """Only subscribes: the batch consumer never delivers an event."""
        async for _ in stream:
            pass

    app.agent(topics)(subscribe)
    app.finalize()
    return app
