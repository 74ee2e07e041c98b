"""Faust's consumer, reading batches instead of single messages, with a place to load and to save.

Stock Faust spends thirty times as much per record and loses or repeats records on rebalances and
handler errors. What is overridden here are private methods of faust-streaming 0.15.3 and aiokafka
0.14.0: both are pinned, and tests/contracts/test_faust_contract.py fails when they change.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Any, ClassVar, cast

import faust
import structlog
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport

from driftline.runtime.keeper import Keeper
from driftline.runtime.ports import TP

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
REJOIN_SECONDS = 0.5
FETCH_WAIT_MS = 100
FETCH_PAUSE_SECONDS = 0.015
# Faust resumes silently after the whole request timeout: our own must come first and exit.
CLAIM_SHARE_OF_REQUEST_TIMEOUT = 0.8


class BatchApp(faust.App):
    """A Faust app whose consumer feeds a keeper; `failure` is why the process cannot go on."""

    keeper: Keeper[Any]
    failure: BaseException | None = None

    def _create_directories(self) -> None:
        """No tables, so no files: containers run on a read-only disk."""


class BatchConsumerThread(AIOKafkaConsumerThread):
    """The thread of the consumer: between two fetches records gather, and one that finds nothing
    ends soon.

    A broker answers as soon as it has one record. Asked again at once, it answers hundreds of times
    a second with a record or two, and every fetch names all partitions: at 1,000 pairs a second
    that took 75 % of a joiner's core, with the pause 42 %.

    aiokafka has one fetch for a broker under way, and it leaves out the partitions whose records
    were just handed on: they wait until it ends, with Faust's own 1,500 ms long after their next
    record has come.
    """

    async def on_start(self) -> None:
        await super().on_start()
        fetcher: Any = cast("Any", self._consumer)._fetcher
        fetcher._proc_fetch_request = partial(after_a_pause, fetcher._proc_fetch_request)

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer: Any = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer


async def after_a_pause(fetch: Callable[..., Awaitable[bool]], *request: Any) -> bool:
    """What `fetch` says, a little later; False (it brought nothing) when cancelled, as its own."""
    try:
        await asyncio.sleep(FETCH_PAUSE_SECONDS)
    except asyncio.CancelledError:
        return False
    return await fetch(*request)


class BatchConsumer(Consumer):
    """Hands whole fetches to the keeper; loads on assignment, saves on revoke and SIGTERM."""

    consumer_stopped_errors: ClassVar[Any] = Consumer.consumer_stopped_errors

    @property
    def _batch_app(self) -> BatchApp:
        return cast("BatchApp", self.app)

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        """Replaces four tasks, a Message, an Event and acks per record."""
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                await asyncio.sleep(0)
                if not self.flow_active:
                    await self.wait(cast("Any", self.can_resume_flow))
                await self._poll()
        except (asyncio.CancelledError, *self.consumer_stopped_errors):
            if not self.app.should_stop:
                raise
        except Exception as error:
            self._batch_app.failure = error
            raise

    async def _poll(self) -> None:
        keeper = self._batch_app.keeper
        asked = keeper.wanted({TP(*tp) for tp in self._get_active_partitions()})
        batches: Any = {}
        if asked:
            active = cast("Any", asked)
            batches = await self._getmany(active_partitions=active, timeout=POLL_SECONDS)
        else:  # what was read before may be applied by now
            await asyncio.sleep(POLL_SECONDS / 10)
        if self.flow_active and not self.should_stop:
            await keeper.process(asked, batches)

    async def perform_seek(self) -> None:
        """After every assignment, awaited before anything is delivered."""
        limit = CLAIM_SHARE_OF_REQUEST_TIMEOUT * self.app.conf.broker_request_timeout
        try:
            async with asyncio.timeout(limit):
                await super().perform_seek()
                keeper = self._batch_app.keeper
                assigned = {TP(*tp) for tp in self.assignment()}
                whole = keeper.whole(assigned)
                positions = await keeper.assign(whole)
                await self.seek_wait(cast("Any", positions))
                if whole != assigned or self._lacks_topics():
                    log.warning("topics_unknown", owned=len(whole), assigned=len(assigned))
                    keeper.reader.rejoin()
        except Exception as error:
            self._batch_app.failure = error
            raise

    def _lacks_topics(self) -> bool:
        """A broker that just came back may not know its topics yet: Faust's assignor leaves those
        out, and aiokafka would look again after five minutes."""
        cluster = self._thread._consumer._client.cluster  # type: ignore[union-attr]  # set by now
        return not all(cluster.partitions_for_topic(t) for t in self._batch_app.keeper.topics)

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Faust looks whether its streams get events, and ours are never asked: with any backlog it
        would call a healthy worker stuck. `/readyz` and the metrics say whether it is."""

    async def wait_empty(self) -> None:
        """On revoke and on SIGTERM: the flow is stopped and we are still a member."""
        await self._batch_app.keeper.checkpoint(release=True)
        await super().wait_empty()


class BatchTransport(Transport):
    """Makes Faust build our consumer."""

    Consumer = BatchConsumer


class FaustReader:
    """The keeper's view of the consumer (the port `Reader`)."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def committed(self, tp: TP) -> int | None:
        return cast("int | None", self._app.consumer._committed_offset.get(tp))

    async def begin(self, tps: Collection[TP]) -> Mapping[TP, int]:
        begins = await self._app.consumer.earliest_offsets(*tps)
        return {TP(*tp): begin for tp, begin in begins.items()}

    async def end(self, tps: Collection[TP]) -> Mapping[TP, int]:
        ends = await self._app.consumer.highwaters(*tps)
        return {TP(*tp): end for tp, end in ends.items()}

    async def seek(self, offsets: Mapping[TP, int]) -> None:
        await self._app.consumer.seek_wait(offsets)

    async def commit(self, offsets: Mapping[TP, int]) -> None:
        if not await self._app.consumer._commit_offsets(offsets):
            raise ConnectionError("the broker did not accept the offsets")

    def highwater(self, tp: TP) -> int | None:
        try:
            return cast("int | None", self._app.consumer.highwater(tp))
        except Exception:  # noqa: BLE001 - aiokafka raises several kinds for a partition that has gone
            return None

    def rejoin(self) -> None:
        """Ask for a true assignment, of the topics as the broker knows them then."""
        thread = self._app.consumer._thread
        asyncio.run_coroutine_threadsafe(_rejoin(thread._consumer), thread.thread_loop)


async def _rejoin(consumer: Any) -> None:
    """In the consumer's own thread."""
    await asyncio.sleep(REJOIN_SECONDS)
    await consumer._client.force_metadata_update()
    consumer._coordinator.request_rejoin()
