"""The log of facts and its in-memory twin keep the same promises."""

from collections.abc import Callable
from pathlib import Path

import pytest

from driftline.core.fact_chain import Draft, seal
from driftline.registry.facts import Facts, KafkaFacts, MemoryFacts, MemoryLog
from driftline.runtime.clock import SystemClock
from driftline.runtime.ports import StoreUnavailableError
from driftline.runtime.registry_log import RegistryFencedError
from driftline.servers import LocalServers
from driftline_schemas.registry import Fact
from tests.integration.installation import installation

pytestmark = pytest.mark.integration

Writers = Callable[[], Facts]


def draft(name: str) -> Draft:
    return Draft(name, "hold", "ann", "a reason", {"model": "m", "held": "l"})


async def promises(writer: Writers) -> None:
    """What the owner relies on."""
    first, second = writer(), writer()
    seen: list[Fact] = []
    also: list[Fact] = []
    with pytest.raises((StoreUnavailableError, RegistryFencedError)):
        await first.append(draft("unopened"))
    await first.open(seen.append)
    assert [fact.action for fact in seen] == ["installation"]
    fact = await first.append(draft("a"))
    assert seen[-1] == fact
    await second.open(also.append)
    assert also == seen
    with pytest.raises(RegistryFencedError):
        await first.append(draft("b"))
    await second.append(draft("c"))
    again: list[Fact] = []
    await first.open(again.append)
    assert [each.command_id for each in again[1:]] == ["a", "c"]
    with pytest.raises(RegistryFencedError):
        await second.append(draft("d"))


async def test_the_twin_in_memory() -> None:
    log = MemoryLog()
    fact, raw = seal(Draft("i", "installation", "ann", "init", {}), None, 0)
    log.facts.append(fact)
    log.records.append(raw)
    await promises(lambda: MemoryFacts(log, SystemClock()))


async def test_the_log_on_a_real_broker(servers: LocalServers, prefix: str, tmp_path: Path) -> None:
    with installation(servers, prefix, tmp_path):
        await promises(lambda: KafkaFacts(servers.brokers, prefix, SystemClock()))
