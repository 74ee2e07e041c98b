"""Does the screen of `driftline status` show what is down, open and serving within 80 columns?"""

from collections import Counter
from io import StringIO
from typing import Any

from rich.console import Console

from driftline.cli.overview import Overview
from driftline.cli.role_progress import progress
from driftline.cli.status_screen import drawn
from driftline.runtime.first_contact import BrokerLook
from driftline.runtime.group_looks import INPUTS, Member, RoleLook, all_of
from driftline.runtime.redis_looks import RedisLook
from driftline_schemas.alerts import Alert
from driftline_schemas.registry import ScorerStatus
from tests.unit.core.registry.book import START, Book, spec, version

REDIS = RedisLook(
    version="7.2.4", is_replica=False, primary_is_up=True, takes_writes=True, used_bytes=10**9,
    limit_bytes=2 * 10**9, machine_bytes=0, eviction="noeviction", append_only=True,
    snapshots=False, last_write_failed=False, now=START,
)  # fmt: skip


def role(name: str, members: int, lag: int) -> RoleLook:
    tps = [tp for topic in INPUTS[name] for tp in all_of(topic, "shop")]
    zeros = dict.fromkeys(tps, 0)
    people = [Member(f"{name}-{i}", "host", 1) for i in range(members)]
    committed = zeros if members else {}
    return RoleLook(name, 1.0, people, zeros, {**zeros, tps[0]: lag}, committed)


def overview() -> Overview:
    book = Book()
    book.accepted("apply_spec", wire := spec())
    first = version(wire["spec_hash"], "sm", 1)
    book.accepted("model_updated", first)
    fields: dict[str, Any] = {
        "alert_id": "a" * 16, "fingerprint": "f" * 16, "status": "firing", "revision": 1,
        "at": START, "severity": "error", "model": "churn", "model_version": "1",
        "check": "data", "scope": "model", "opened_at": START - 3_600_000,
        "opened_by": ("shop.journal.v1", 0, 1), "n": 1, "replay": "r",
        "summary": "age drifted: 31 % of values lie where 5 % of the reference's did [bold]",
    }  # fmt: skip
    seen = Overview(
        "shop", START, "kafka-1:9092,kafka-2:9092", "redis:6379/0",
        broker=BrokerLook("kafka-1:9092", None, "4.3"),
        cluster=[BrokerLook("kafka-1:9092", None, "4.3"), BrokerLook("kafka-2:9092", "refused")],
        topics=14, topics_wanted=14, redis=REDIS,
        roles={name: progress(look, look) for name, look in
               {"joiner": role("joiner", 2, 12_345), "monitor": role("monitor", 0, 0),
                "learner": role("learner", 1, 0), "alerter": role("alerter", 0, 0)}.items()},
        alerts=[Alert(**fields)], dead_letters=Counter(misplaced=1_200, invalid_json=3),
        registry=book.state,
        scorers=[ScorerStatus(scorer_id="s-1", seq=1, versions={"churn": first["version_id"]},
                              at=START - 1_000),
                 ScorerStatus(scorer_id="s-2", seq=1, versions={"churn": "other"},
                              at=START - 60_000)],
    )  # fmt: skip
    seen.note_what_is_down()
    return seen


def shown(seen: Overview) -> str:
    console = Console(file=StringIO(), width=80, highlight=False, markup=False)
    console.print(drawn(seen))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_all_that_matters_is_on_the_screen() -> None:
    screen = shown(overview())
    for words in (
        "shop at 2026-09-21 14:13:20 UTC: something is down",
        "Broker kafka-2:9092 does not answer: refused.",
        "No monitor runs: start one with `driftline run monitor`.",
        "Scorer s-2 has been silent for 60 s.",
        "1 of 2 brokers, 14 of 14 topics",
        "1.0 GB of 2.0 GB",
        "12,345",
        "age drifted: 31 % of values",
        "[bold]",
        "1,203: 1,200 misplaced, 3 invalid_json",
        "sm/v1 for 0 s, 1 scorer",
    ):
        assert words in screen
    assert max(map(len, screen.splitlines())) <= 80
    assert "No alerter" not in screen


def test_the_same_for_programs() -> None:
    told = overview().as_json()
    assert told["ok"] is False
    assert len(told["down"]) == 3
    assert [r["lag"] for r in told["roles"]] == [12_345, 0, 0, 0]
    assert told["models"][0]["serving"] == "churn/sm/v1"
    assert told["incidents"][0]["check"] == "data"
