"""Decide on commands one by one, write the facts, then tell the models' journals.

A command becomes a fact exactly once: its id is in the fact, and the fact is in the log before the
command's offset is committed. After a crash in between it is read again, found decided, and only
its control records are sent again (their readers ignore a sequence not above the highest seen). So
the committed offset is the mark of what was acknowledged. The runs of schedules have no command:
the newest of each is sent again whenever the log is opened.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import structlog

from driftline.core.fact_chain import BrokenChainError, Draft
from driftline.core.registry.consequences import controls_of
from driftline.core.registry.deciding import decide
from driftline.core.registry.decision import Decision, Moment
from driftline.core.registry.schedules import Timetable
from driftline.core.registry.state import MISFIT, RegistryState, misfit_said
from driftline.registry.facts import Facts
from driftline.runtime import metrics
from driftline.runtime.ports import Clock, Outputs, StoreUnavailableError
from driftline.runtime.registry_log import RegistryError, RegistryFencedError
from driftline_schemas.codec import encode
from driftline_schemas.control import ControlEvent
from driftline_schemas.partitioner import partition_of
from driftline_schemas.registry import Fact, RegistryCommand
from driftline_schemas.topics import JOURNAL

log = structlog.get_logger(__name__)

# More than one poll brings: after each there is a checkpoint, so nothing older is replayed.
REMEMBERED: Final = 5_000
FENCED: Final = "another owner of the registry has taken over, so this one stops"


@dataclass(slots=True)
class Owner:
    """The one that decides. `failure` is set when this process must end."""

    facts: Facts
    outputs: Outputs
    prefix: str
    clock: Clock
    state: RegistryState | None = None  # None: the log is to be read, perhaps again
    failure: RegistryError | None = None
    failed: asyncio.Event = field(default_factory=asyncio.Event)
    _recent: OrderedDict[str, Fact] = field(default_factory=OrderedDict)  # by command_id
    _timetable: Timetable = field(default_factory=Timetable)
    _runs: dict[tuple[str, str], Fact] = field(default_factory=dict)  # newest of each schedule
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def open(self) -> None:
        """Take the log over, whoever had it before. StoreUnavailableError: try again."""
        async with self._lock:
            await self._take_over()

    async def handle(self, command: RegistryCommand, appended: int) -> None:
        """Decide on a command, appended at `appended` (ms); one that is known is told again.

        StoreUnavailableError: nothing is lost when it is handled again.
        """
        async with self._lock:
            state = self.state or await self._take_over()
            decision = decide(state, command, Moment(self.clock.now(), appended))
            if decision is None:
                self._tell(self._recent.get(command.command_id))
                return
            fact = await self._append(decision.draft)
            _report(decision, fact)
            self._tell(fact)

    async def run_schedules(self) -> None:
        """Ask for what is due. StoreUnavailableError as in `handle`."""
        async with self._lock:
            state = self.state or await self._take_over()
            for draft in self._timetable.due(state, self.clock.now()):
                fact = await self._append(draft)
                log.info("schedule_due", seq=fact.seq, **fact.body)
                self._tell(fact)

    async def _take_over(self) -> RegistryState:
        state = RegistryState()
        self.state = None
        self._recent.clear()
        self._runs.clear()

        def learn(fact: Fact) -> None:
            state.apply(fact)
            self._remember(fact)

        try:
            await self.facts.open(learn)
        except RegistryFencedError as error:
            raise self._fail(RegistryFencedError(FENCED)) from error
        except RegistryError as error:
            raise self._fail(error) from error
        except BrokenChainError as error:
            raise self._fail(_damaged(error)) from error
        self.state = state
        for fact in self._still_scheduled(state):
            self._tell(fact)
        return state

    async def _append(self, draft: Draft) -> Fact:
        try:
            return await self.facts.append(draft)
        except RegistryFencedError as error:
            raise self._fail(RegistryFencedError(FENCED)) from error
        except BrokenChainError as error:
            self.state = None
            raise self._fail(_damaged(error)) from error
        except StoreUnavailableError:
            self.state = None
            raise

    def _fail(self, error: RegistryError) -> StoreUnavailableError:
        """For the runtime this is no fault of the command: it waits, until the process ends."""
        self.failure = error
        self.failed.set()
        return StoreUnavailableError(str(error))

    def _remember(self, fact: Fact) -> None:
        if fact.outcome == "refused" or fact.action == "installation":
            return
        if fact.action == "schedule":
            self._runs[fact.body["model"], fact.body["schedule_id"]] = fact
            return
        self._recent[fact.command_id] = fact
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)

    def _still_scheduled(self, state: RegistryState) -> Iterable[Fact]:
        runs = [
            fact
            for (model, schedule_id), fact in self._runs.items()
            if schedule_id in state.models[model].schedules
        ]
        return sorted(runs, key=lambda fact: fact.seq)

    def _tell(self, fact: Fact | None) -> None:
        """Control records go by the ordinary producer: the journal's readers read uncommitted."""
        for control in _controls_of(fact) if fact is not None else ():
            self.outputs.produce(
                JOURNAL.full_name(self.prefix),
                encode(control),
                key=control.model,
                partition=partition_of(control.model, JOURNAL.partitions),
            )


def _controls_of(fact: Fact) -> list[ControlEvent]:
    """None for a fact from before facts were proved, of which no reader could take them."""
    try:
        return controls_of(fact)
    except MISFIT as error:
        log.error("not_told", seq=fact.seq, action=fact.action, reason=misfit_said(error))
        return []


def _damaged(error: BrokenChainError) -> RegistryError:
    return RegistryError(f"The registry cannot be followed: {error}: nothing is added to it.")


def _report(decision: Decision, fact: Fact) -> None:
    metrics.REGISTRY_DECISIONS.labels(fact.action, fact.outcome).inc()
    log.info(
        "decided",
        seq=fact.seq,
        action=fact.action,
        outcome=fact.outcome,
        actor=fact.actor,
        model=fact.body.get("model"),
        why=decision.why or None,
    )
