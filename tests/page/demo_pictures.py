"""`python -m tests.page.demo_pictures FOLDER`: run the demo, and take docs/concepts.md's pictures.

What the page quotes of that run goes to stdout, the demo's own line of JSON first.
"""

import asyncio
import os
import re
import sys
from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import orjson

from driftline.api.page.charts.scales import Span
from driftline.core.gates.gate import Gate, PairedGains
from driftline.runtime.registry_log import iterate_registry
from driftline.runtime.topic_tail import read_tail
from driftline_schemas.fields import parse_time
from driftline_schemas.partitioner import partition_of
from driftline_schemas.registry import Fact
from driftline_schemas.topics import JOURNAL, LEARNING_METRICS, Topic
from tests.page.browser import Tab, browser, chromium
from tests.page.drawings import Answer, Figures, bounds, late_labels, sheet

PREFIX, MODEL = "demo", "segments"
MOST: Final = 100_000  # records of a partition
ROWS: Final = Span(1_600, 2_600)
QUOTED, CHALLENGER = 1_990, "softmax"
SCREEN: Final = 920  # pixels
SAID: Final = {
    "brokers": re.compile(r"Kafka at (\S+),"),
    "page": re.compile(r"page is at (\S+)/"),
    "fault": re.compile(r"in rows (\d+) to"),
    "drifted": re.compile(r"(firing +data)"),
    "over": re.compile(r"(everything goes on running)"),
}


@asynccontextmanager
async def running() -> AsyncIterator[asyncio.subprocess.Process]:
    """The demo, until its pictures are taken."""
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "driftline", "demo", "--stay", "--json",
        stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    try:
        yield demo
    finally:
        if demo.returncode is None:
            demo.terminate()
        await demo.wait()


async def heard(demo: asyncio.subprocess.Process, wanted: str) -> str:
    """What the demo says there; EOFError if it ends without saying it."""
    assert demo.stderr is not None
    async for line in demo.stderr:
        if found := SAID[wanted].search(line.decode()):
            return found[1]
    raise EOFError(f"the demo ended before it said: {wanted}")


async def photograph(folder: Path, program: str) -> None:
    """All pictures of one run."""
    async with running() as demo, browser(program) as tab:
        brokers, page = await heard(demo, "brokers"), await heard(demo, "page")
        await tab.show(width=SCREEN)
        fault = int(await heard(demo, "fault"))
        await heard(demo, "drifted")
        await asyncio.sleep(1)  # the page reads the topics too
        await tab.open(f"{page}/model?name={MODEL}")
        await tab.picture_of("#drift", folder / "concepts-drift.png")
        await heard(demo, "over")
        await tab.open(f"{page}/model?name={MODEL}")
        await tab.picture_of("#performance", folder / "concepts-story.png")
        late, gates = await asyncio.to_thread(drawings, brokers, fault)
        await draw(tab, late, folder / "concepts-late.png")
        await draw(tab, gates, folder / "concepts-gate.png")


async def draw(tab: Tab, document: str, file: Path) -> None:
    """A picture of a document of our own."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "drawing.html"
        await asyncio.to_thread(path.write_text, document, encoding="utf-8")
        await tab.open(path.as_uri())
        await tab.picture_of("main", file, margin=0)


def drawings(brokers: str, fault: int) -> tuple[str, str]:
    """Accuracy with late labels, and the gates of both takeovers."""
    facts = list(iterate_registry(brokers, PREFIX))
    promotions = [
        fact for fact in facts
        if fact.body.get("verdict") == "promote" and fact.outcome == "accepted"
    ]  # fmt: skip
    joined = [r for r in records(brokers, JOURNAL) if r["kind"] == "joined"]
    made = sorted((parse_time(r["prediction_ts"]), row_of(r["prediction_id"])) for r in joined)
    answers = [
        Answer(row_of(r["prediction_id"]), r["prediction"] == r["label"],
               row_at(made, parse_time(r["label_ts"])))
        for r in joined
    ]  # fmt: skip
    print(orjson.dumps(quoted(facts, joined)).decode())
    takeover = row_at(made, promotions[0].at)
    metrics = [r for r in records(brokers, LEARNING_METRICS) if r["kind"] == "gate"]
    gates = [
        bounds(titled(fact, row_at(made, fact.at)), evidence(fact, metrics), Gate())
        for fact in promotions
    ]
    return sheet(late_labels(answers, ROWS, fault, takeover)), sheet(*gates)


def records(brokers: str, topic: Topic) -> list[dict[str, Any]]:
    """Those in the partition of the demo's model."""
    partition = partition_of(MODEL, topic.partitions)
    raw = read_tail(brokers, topic.full_name(PREFIX), [partition], MOST)
    return [record for each in raw if (record := orjson.loads(each)).get("model") == MODEL]


def row_of(prediction_id: str) -> int:
    """The demo's ids end with the row."""
    return int(prediction_id.rpartition("-")[2])


def row_at(made: list[tuple[int, int]], time: int) -> int:
    """The last row predicted at or before `time` (ms)."""
    return made[max(bisect_right(made, (time, sys.maxsize)) - 1, 0)][1]


def quoted(facts: list[Fact], joined: list[dict[str, Any]]) -> dict[str, Any]:
    """A prediction of the fault with its label, versions of the challenger around it, figures."""
    row = next(r for r in joined if row_of(r["prediction_id"]) == QUOTED)
    made = [fact.body for fact in facts if fact.body.get("lineage") == CHALLENGER]
    around = [b for b in made if near(b["created_ts"], row["predicted_at"], row["label_ts"])]
    fields = ("predicted_at", "label_ts", "prediction", "label", "model_version")
    return {
        **{name: row[name] for name in fields},
        "versions": {body["name"]: body["created_ts"] for body in around},
        "verdicts": [fact.reason for fact in facts if fact.action == "gate_evaluated"],
        "newest_figures": made[-1]["metrics"],
    }


def near(time: str, first: str, last: str) -> bool:
    """Whether a time lies between two others, or up to five seconds before."""
    return parse_time(first) - 5_000 <= parse_time(time) <= parse_time(last)


def titled(promotion: Fact, row: int) -> str:
    """Who took over from whom, and when."""
    body = promotion.body
    against = f"{body['challenger']} against {body['champion']}"
    return f"{against}: promoted at row {row:,} on {body['n']} pairs"


def evidence(fact: Fact, metrics: list[dict[str, Any]]) -> list[Figures]:
    """Of the test that ended with a promotion: each evaluation, the last one by the fact."""
    body = fact.body
    numbers = [
        each["metrics"] for each in metrics
        if each["pipeline"] == body["challenger"] and each["metrics"]["j"] == body["j"]
        and 2 <= each["metrics"]["n"] < body["n"]
    ]  # fmt: skip
    return [
        Figures(PairedGains(int(n["n"]), n["mean"], n["variance"]), int(n["j"]), int(n["k"]))
        for n in (*numbers, body)
    ]


def main() -> int:
    """The exit code."""
    program = chromium()
    if len(sys.argv) != 2 or program is None:
        print(__doc__ if program else "There is no Chromium on this machine.")
        return 2
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(photograph(folder, program))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
