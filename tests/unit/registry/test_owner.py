"""Is each command one fact and its control records sent, whatever happens in between?"""

from dataclasses import dataclass, field

import orjson
import pytest

from driftline.core.fact_chain import Draft, seal, verified
from driftline.registry.facts import MemoryFacts, MemoryLog
from driftline.registry.owner import FENCED, Owner
from driftline.registry.state import CommandsState
from driftline.runtime.dead_letters import DeadLetters
from driftline.runtime.memory import ManualClock, MemoryOutputs, MemoryRecord
from driftline.runtime.ports import StoreUnavailableError
from driftline_schemas.codec import encode
from driftline_schemas.registry import RegistryCommand
from tests.unit.core.registry.book import INSTALLATION, START, command, gate, spec, version

JOURNAL, DEAD = "p.journal.v1", "p.dead-letters.v1"
SPEC = command("spec", "apply_spec", spec(schedules=[{"cron": "0 * * * *", "pipeline": "lr"}]))
SPEC_HASH = SPEC.body["spec_hash"]
SM1 = command("sm1", "model_updated", version(SPEC_HASH, "sm", 1))
LR1 = command("lr1", "model_updated", version(SPEC_HASH, "lr", 1))
PROMOTE = command("up", "promote", {"model": "churn", "version": "lr/v1"})


@dataclass
class Rig:
    """One log, and processes that own it one after the other."""

    log: MemoryLog = field(default_factory=MemoryLog)
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    offset: int = 0

    def __post_init__(self) -> None:
        body = INSTALLATION.model_dump(mode="json")
        fact, raw = seal(Draft("i", "installation", "ann", "init", body), None, START)
        self.log.facts.append(fact)
        self.log.records.append(raw)

    def process(self) -> "Process":
        facts = MemoryFacts(self.log, self.clock)
        outputs = MemoryOutputs()
        owner = Owner(facts, outputs, "p", self.clock)
        state = CommandsState(owner, DeadLetters(outputs, "p", "registry"), 0)
        return Process(self, facts, outputs, owner, state)

    @property
    def actions(self) -> list[str]:
        return [f"{fact.action}:{fact.outcome}" for fact in verified(self.log.records)][1:]


@dataclass
class Process:
    rig: Rig
    facts: MemoryFacts
    outputs: MemoryOutputs
    owner: Owner
    state: CommandsState

    async def read(self, *commands: RegistryCommand | bytes | None) -> None:
        """What the keeper does with a batch."""
        records = []
        for each in commands:
            raw = encode(each) if isinstance(each, RegistryCommand) else each
            records.append(MemoryRecord(self.rig.offset, self.rig.clock.now(), None, raw))
            self.rig.offset += 1
        await self.state.prepare("p.registry-commands.v1", records)
        self.state.apply("p.registry-commands.v1", records)

    @property
    def told(self) -> list[tuple[int, str]]:
        """Sequence and action of each control record."""
        records = [orjson.loads(record.value) for record in self.outputs.of(JOURNAL)]
        return [(record["seq"], record["action"]) for record in records]


async def test_a_command_becomes_a_fact_and_its_model_is_told() -> None:
    rig = Rig()
    owner = rig.process()
    await owner.read(SPEC, SM1, LR1, PROMOTE)
    assert rig.actions == [
        "apply_spec:accepted", "model_updated:accepted", "model_updated:accepted",
        "promote:accepted",
    ]  # fmt: skip
    assert owner.told == [(1, "spec"), (1, "bins"), (2, "deployed"), (4, "deployed")]
    assert owner.state.full()
    owner.state.cut()
    assert not owner.state.full()


async def test_after_a_crash_before_the_control_records_they_are_sent_when_it_is_read_again() -> (
    None
):
    rig = Rig()
    await rig.process().read(SPEC, SM1, LR1)
    await rig.process().read(PROMOTE)  # killed: its outputs never reached the broker
    restarted = rig.process()
    before = list(rig.log.records)
    await restarted.read(PROMOTE)
    assert restarted.told == [(4, "deployed")]
    assert rig.log.records == before


async def test_a_commit_without_an_answer_is_found_in_the_log() -> None:
    rig = Rig()
    owner = rig.process()
    await owner.read(SPEC, SM1, LR1)
    owner.facts.failing, owner.facts.written = True, True
    with pytest.raises(StoreUnavailableError):
        await owner.read(PROMOTE)
    await owner.read(PROMOTE)
    assert rig.actions.count("promote:accepted") == 1
    assert owner.told[-1] == (4, "deployed")


async def test_a_commit_that_failed_is_done_again() -> None:
    rig = Rig()
    owner = rig.process()
    await owner.read(SPEC, SM1, LR1)
    owner.facts.failing = True
    with pytest.raises(StoreUnavailableError):
        await owner.read(PROMOTE)
    assert rig.actions.count("promote:accepted") == 0
    await owner.read(PROMOTE)
    assert rig.actions.count("promote:accepted") == 1


async def test_an_owner_that_was_replaced_writes_nothing_and_says_so_once() -> None:
    rig = Rig()
    zombie, owner = rig.process(), rig.process()
    await zombie.read(SPEC)
    await owner.read(SM1)
    with pytest.raises(StoreUnavailableError):
        await zombie.read(LR1)
    assert zombie.owner.failed.is_set()
    assert str(zombie.owner.failure) == FENCED
    await owner.read(LR1)
    assert rig.actions[1:] == ["model_updated:accepted", "model_updated:accepted"]


async def test_a_schedule_that_is_due_is_told_once_and_again_after_a_restart() -> None:
    rig = Rig()
    owner = rig.process()
    await owner.read(SPEC)
    rig.clock.advance(3_600_000)
    await owner.owner.run_schedules()
    await owner.owner.run_schedules()
    assert owner.told[2:] == [(2, "schedule")]
    restarted = rig.process()
    await restarted.owner.open()
    assert restarted.told == [(2, "schedule")]
    await restarted.owner.run_schedules()
    assert restarted.told == [(2, "schedule")]


async def test_what_is_no_command_is_a_dead_letter_and_stops_nothing() -> None:
    rig = Rig()
    owner = rig.process()
    await owner.read(b"{", None, b'{"command_id": "no id!"}', SPEC)
    letters = [orjson.loads(record.value) for record in owner.outputs.of(DEAD)]
    reasons = [letter["reason"] for letter in letters]
    assert reasons == ["invalid_json", "empty", "invalid_field"]
    assert rig.actions == ["apply_spec:accepted"]


async def test_a_refused_command_tells_nobody() -> None:
    rig = Rig()
    owner = rig.process()
    await owner.read(PROMOTE)
    assert (rig.actions, owner.told) == (["promote:refused"], [])


async def test_no_command_can_write_a_fact_that_stops_every_reader() -> None:
    rig = Rig()
    owner = rig.process()
    await owner.read(SPEC, SM1, LR1)
    poison = gate(LR1.body["version_id"], 1, mean="nan", lower="nan", upper="nan")
    await owner.read(command("nan", "gate_evaluated", poison), PROMOTE)
    assert rig.actions[-2:] == ["gate_evaluated:refused", "promote:accepted"]
    await rig.process().owner.open()


async def test_nothing_is_added_behind_a_fact_that_nobody_can_take_in() -> None:
    rig = Rig()
    await rig.process().read(SPEC, SM1, LR1)
    body = {**gate(LR1.body["version_id"], 1), "mean": None}
    fact, raw = seal(
        Draft("bad", "gate_evaluated", "learner", "r", body), rig.log.facts[-1], rig.clock.now()
    )
    rig.log.facts.append(fact)
    rig.log.records.append(raw)
    owner = rig.process()
    for _ in range(2):
        with pytest.raises(StoreUnavailableError):
            await owner.read(PROMOTE)
    assert owner.owner.failed.is_set()
    assert str(owner.owner.failure) == (
        "The registry cannot be followed: fact 4 (gate_evaluated) cannot be taken in: mean: Input"
        " should be a valid number: nothing is added to it."
    )
    assert rig.log.facts[-1] == fact


async def test_a_fact_of_a_former_release_that_no_journal_can_take_stops_no_owner() -> None:
    rig = Rig()
    body = spec()
    edges = {"kind": "numeric", "edges": [None], "reference": [1, 1]}
    bad = {**body["bins"], "features": {"age": edges}}
    fact, raw = seal(
        Draft("old", "apply_spec", "ann", "r", {**body, "bins": bad}), rig.log.facts[-1], START
    )
    rig.log.facts.append(fact)
    rig.log.records.append(raw)
    owner = rig.process()
    first = command("sm1", "model_updated", version(body["spec_hash"], "sm", 1))
    await owner.read(command("old", "apply_spec", body), first)  # the former would be told again
    assert owner.told == [(2, "deployed")]
