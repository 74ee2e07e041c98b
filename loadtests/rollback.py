"""How long from a promotion or a rollback until every scorer predicts with the wanted version?

Real servers, a registry and scorers as processes; each scorer is asked at a steady rate all the
while, and every answer must be in the topic under the version that it named. The time runs from
just before the command is appended to the last scorer's first answer with the wanted version, so
up to the time between two requests is the load's own.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from secrets import token_hex
from statistics import quantiles
from time import monotonic, sleep
from typing import Any, Final

import aiohttp
import orjson

from driftline.cli.topics import init_topics
from driftline.demo.roles import Processes
from driftline.runtime import settings as configuration
from driftline.runtime.clock import SystemClock
from driftline.runtime.command_log import CommandLog
from driftline.runtime.errors import DriftlineError
from driftline.runtime.models.artifacts import ArtifactStore
from driftline.runtime.topic_tail import read_tail
from driftline.servers.ports import free_ports
from driftline_schemas.registry import Action, RegistryCommand
from driftline_schemas.spec import ModelSpec
from driftline_schemas.topics import PREDICTIONS
from loadtests.installation import Servers, real_servers, wait_until_ready
from loadtests.versions import MODEL, Trainer, row_of, spec_body, wire_spec

PATIENCE_SECONDS: Final = 60.0
LAPSES_MS: Final = 3_600_000  # the registry is started after the first commands
PAUSES: Final = (0.1, 0.4)  # seconds between two swaps, so that they meet the requests anywhere
ALL: Final = 10**9
PIPELINES: Final = ("sm", "lr")


@dataclass(frozen=True, slots=True)
class Load:
    """What to run. rate: requests a second to each scorer."""

    swaps: int
    rate: float
    scorers: int


@dataclass(slots=True)
class Registry:
    """The commands of a run; `versions` by pipeline."""

    log: CommandLog
    versions: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def give(self, action: Action, body: dict[str, Any]) -> None:
        """Append a command; returns when the broker has it."""
        self.count += 1
        self.log.append(
            RegistryCommand(
                command_id=f"load-{self.count}", action=action, actor="loadtest",
                reason="load test", body=body, not_after=SystemClock().now() + LAPSES_MS,
            )
        )  # fmt: skip


@dataclass(slots=True)
class Answers:
    """What one scorer answered: version by prediction id, seconds of each, and what it did not."""

    versions: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    newest: str | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, version_id: str) -> float:
        """When (monotonic) the first answer with the version came."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self.newest != version_id:
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise DriftlineError(f"{version_id} never served; {self.lost[-1:]}") from None
        return monotonic()

    def take(self, prediction_id: str, status: int, said: dict[str, Any], seconds: float) -> None:
        """One answer."""
        if status != 200:
            self.lost.append(f"{status}: {said}")
            return
        self.versions[prediction_id] = said["model_version"]
        self.seconds.append(seconds)
        if self.newest != said["model_version"]:
            self.newest = said["model_version"]
            self.changed.set()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run; times in seconds."""

    promotions: list[float]
    rollbacks: list[float]
    answers: list[Answers]
    published: dict[str, str]


async def ask(port: int, number: int, rate: float, answers: Answers) -> None:
    """Ask one scorer for ever, each request at its time, whether or not the last is answered."""
    spec = ModelSpec.model_validate(wire_spec())
    chance, began, tasks = Random(number), monotonic(), set()
    url = f"http://127.0.0.1:{port}/v1/models/{MODEL}:predict"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        try:
            for count in range(ALL):
                await asyncio.sleep(began + (count + number / 3) / rate - monotonic())
                body = {"prediction_id": f"{number}-{count}", "features": row_of(chance, spec),
                        "recording": "required"}  # fmt: skip
                tasks.add(task := asyncio.create_task(_once(session, url, body, answers)))
                task.add_done_callback(tasks.discard)
        finally:
            await asyncio.gather(*tasks)


async def _once(
    session: aiohttp.ClientSession, url: str, body: dict[str, Any], answers: Answers
) -> None:
    began = monotonic()
    try:
        async with session.post(url, json=body) as answer:
            said = await answer.json()
            answers.take(body["prediction_id"], answer.status, said, monotonic() - began)
    except aiohttp.ClientError as error:
        answers.lost.append(repr(error))


async def swap(load: Load, registry: Registry, ports: Sequence[int]) -> Outcome:
    """Promote and roll back in turn under load."""
    answers = [Answers() for _ in ports]
    promotions: list[float] = []
    rollbacks: list[float] = []
    chance = Random(0)
    async with _asking(load, ports, answers):
        await _seen(answers, registry.versions["sm"])
        for number in range(load.swaps):
            await asyncio.sleep(chance.uniform(*PAUSES))
            taken, wanted = (rollbacks, "sm") if number % 2 else (promotions, "lr")
            began = monotonic()
            await asyncio.to_thread(_swap, registry, wanted)
            taken.append(await _seen(answers, registry.versions[wanted]) - began)
    return Outcome(promotions, rollbacks, answers, {})


@asynccontextmanager
async def _asking(
    load: Load, ports: Sequence[int], answers: Sequence[Answers]
) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(ask(port, number, load.rate, answers[number]))
        for number, port in enumerate(ports)
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _seen(answers: Sequence[Answers], version_id: str) -> float:
    """When the last of the scorers answered with the version for the first time."""
    return max(await asyncio.gather(*(each.until(version_id) for each in answers)))


def _swap(registry: Registry, wanted: str) -> None:
    if wanted == "sm":
        registry.give("rollback", {"model": MODEL})
    else:
        registry.give("promote", {"model": MODEL, "version": registry.versions[wanted]})


def set_up(found: Servers, prefix: str, folder: Path) -> Registry:
    """Topics, a spec in force, a version of each pipeline; the champion's serves."""
    init_topics(configuration.load(brokers=found.brokers, topic_prefix=prefix), "loadtest")
    registry = Registry(CommandLog(found.brokers, prefix))
    spec = wire_spec()
    registry.give("apply_spec", spec_body(spec))
    trainer = Trainer(spec, ArtifactStore.at(str(folder / "artifacts")))
    for pipeline in PIPELINES:
        version = trainer.version(pipeline)
        registry.versions[pipeline] = version["version_id"]
        registry.give("model_updated", version)
    return registry


@contextmanager
def running(found: Servers, prefix: str, folder: Path, scorers: int) -> Iterator[list[int]]:
    """A registry and scorers, all ready, until the block ends; the scorers' ports."""
    environment = {
        "DRIFTLINE_BROKERS": found.brokers,
        "DRIFTLINE_REDIS_URL": found.redis_url,
        "DRIFTLINE_TOPIC_PREFIX": prefix,
        "DRIFTLINE_ARTIFACTS_URL": str(folder / "artifacts"),
        "FAUST_DATADIR": str(folder / "faust"),
    }
    names = [
        ("registry", "registry-1"),
        *(("scorer", f"scorer-{n}") for n in range(1, scorers + 1)),
    ]
    free = free_ports(2 * len(names))
    health, ports = free[: len(names)], free[len(names) :]
    with Processes(folder, environment) as processes:
        for (role, name), own, port in zip(names, health, ports, strict=True):
            processes.start(
                name, ["driftline", "run", role], DRIFTLINE_REPLICA=name,
                DRIFTLINE_METRICS_PORT=str(own), DRIFTLINE_SCORER_PORT=str(port),
            )  # fmt: skip
        for (_, name), own in zip(names, health, strict=True):
            wait_until_ready(processes, name, own)
        yield list(ports[1:])


def measure(found: Servers, load: Load) -> Outcome:
    """One run in an installation of its own."""
    prefix = f"load-{token_hex(4)}"
    with tempfile.TemporaryDirectory(prefix="driftline-load-") as name:
        folder = Path(name)
        registry = set_up(found, prefix, folder)
        with running(found, prefix, folder, load.scorers) as ports:
            sleep(1.0)  # the registry has decided on what it was given
            outcome = asyncio.run(swap(load, registry, ports))
    for raw in read_tail(found.brokers, PREDICTIONS.full_name(prefix), range(16), ALL):
        event = orjson.loads(raw)
        outcome.published[event["prediction_id"]] = event["model_version"]
    return outcome


def figures(outcome: Outcome) -> dict[str, Any]:
    """For `--json`; times in milliseconds. `unrecorded`: answers that are not so in the topic."""
    swaps = [*outcome.promotions, *outcome.rollbacks]
    said = {name: each for answers in outcome.answers for name, each in answers.versions.items()}
    return {
        "swaps": len(swaps),
        "swap_ms": _milliseconds(swaps),
        "rollback_ms": _milliseconds(outcome.rollbacks),
        "promotion_ms": _milliseconds(outcome.promotions),
        "requests": sum(len(each.seconds) + len(each.lost) for each in outcome.answers),
        "request_ms": _milliseconds([s for each in outcome.answers for s in each.seconds]),
        "lost": [why for each in outcome.answers for why in each.lost][:10],
        "unrecorded": sum(outcome.published.get(name) != each for name, each in said.items()),
    }


def _milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    cuts = quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else [*seconds] * 99
    found = {"p50": cuts[49], "p99": cuts[98], "max": max(seconds)}
    return {name: round(value * 1_000, 1) for name, value in found.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print; exit code 1 when a request was lost or an answer is not in the topic."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.rollback", description=__doc__)
    parser.add_argument("--swaps", type=int, default=50)
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second to each scorer")
    parser.add_argument("--scorers", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    options = parser.parse_args(arguments)
    load = Load(options.swaps, options.rate, options.scorers)
    with real_servers() as found:
        result = figures(measure(found, load))
    lines = [f"{name:<14} {value}" for name, value in result.items()]
    print(orjson.dumps(result).decode() if options.json else "\n".join(lines))
    return 1 if result["lost"] or result["unrecorded"] else 0


if __name__ == "__main__":
    sys.exit(main())
