"""What does a learned label cost beside River alone? `python -m loadtests.learning`.

Scaler and logistic regression on 20 numbers. River alone predicts and learns rows from dicts in
memory. The learner reads the record's bytes, drops repeats, scores the newest version that existed,
learns, judges, and writes a version every 50 labels. `fold`: the same from records that were read.
All run in turns; CPU time.
"""

import asyncio
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from time import process_time
from typing import Any

import orjson
import typer
from river import linear_model, preprocessing

from driftline.core.learning.fold import LearningFold
from driftline.core.learning.surroundings import LearningPolicy, Surroundings
from driftline.learner.documents import Stores
from driftline.learner.publishing import Publishing
from driftline.learner.state import LearnerState, Progress, upcoming_of
from driftline.learner.trials import Trials
from driftline.learner.workshop import Workshop
from driftline.runtime.memory import ManualClock, MemoryOutputs, MemoryRecord
from driftline.runtime.models.artifacts import ArtifactStore
from driftline.runtime.models.loader import SafeCodec
from driftline.runtime.service import COLLECT_EVERY
from driftline_schemas.codec import content_hash
from driftline_schemas.fields import format_time

NAMES = [f"f{number:02d}" for number in range(20)]
START, STEP_MS, LATE_MS, TURN = 1_790_000_000_000, 25, 2_500, 500
DAY = 86_400_000


@dataclass(slots=True)
class Spent:
    """CPU seconds by what they were spent on."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def on(self, name: str) -> Iterator[None]:
        """Count what is done inside."""
        began = process_time()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + process_time() - began


def rows(n: int) -> list[tuple[dict[str, float], bool]]:
    chance = Random(1)
    made = []
    for _ in range(n):
        x = {name: chance.gauss(0, 1) for name in NAMES}
        made.append((x, x["f00"] + x["f01"] + chance.gauss(0, 1) > 0))
    return made


def records(stream: Sequence[tuple[dict[str, float], bool]]) -> list[MemoryRecord]:
    """The journal: a specification, then joined records as the joiner writes them."""
    spec = {
        "model": "load", "task": "binary", "version_every": 50,
        "features": [{"name": name, "kind": "numeric"} for name in NAMES],
        "pipelines": {"lr": [{"class": "preprocessing.StandardScaler"},
                             {"class": "linear_model.LogisticRegression"}]},
    }  # fmt: skip
    control = {"kind": "control", "model": "load", "seq": 1, "action": "spec",
               "body": {"spec_hash": content_hash(spec), "spec": spec}}  # fmt: skip
    made = [MemoryRecord(0, START, None, orjson.dumps(control))]
    for number, (x, y) in enumerate(stream):
        asked, labelled = START + number * STEP_MS, START + number * STEP_MS + LATE_MS
        joined: dict[str, Any] = {
            "kind": "joined", "model": "load", "prediction_id": f"p{number}",
            "model_version": "outside-1", "predicted_at": format_time(asked),
            "prediction_ts": format_time(asked + 1), "prediction_tp": [0, number],
            "label_ts": format_time(labelled), "label_tp": [0, number], "features": x,
            "prediction": "true", "label": str(y).lower(),
        }  # fmt: skip
        made.append(MemoryRecord(number + 1, labelled, None, orjson.dumps(joined)))
    return made


def learner() -> tuple[LearnerState, Publishing]:
    """A partition of the service, with everything outside in memory."""
    policy, codec, clock = LearningPolicy(7 * DAY, "code", {}, Random), SafeCodec(), ManualClock()
    store, publishing = ArtifactStore.at("memory://load"), Publishing(MemoryOutputs())

    class NoRanges:
        async def joined(self, partition: int, need: Any) -> Any:
            raise NotImplementedError

    materials: dict[str, Any] = {}
    workshop = Workshop(store, NoRanges(), codec, Random, clock)
    state = LearnerState(
        0, LearningFold(Surroundings(policy, codec, materials)), materials, Progress(0, 0),
        workshop=workshop, trials=Trials(workshop), publishing=publishing,
        stores=Stores.of("memory://load", "load", 0), prefix="load", clock=clock,
    )  # fmt: skip
    return state, publishing


async def measure(n: int) -> dict[str, float]:
    """Microseconds of CPU per label."""
    stream, spent = rows(n), Spent()
    log = records(stream)
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    state, publishing = learner()
    fold = LearningFold(state.fold.around)
    state.apply("journal", log[:1])
    fold.step(upcoming_of(log[0]))
    for first in range(0, n, TURN):
        with spent.on("river"):
            for x, y in stream[first : first + TURN]:
                model.predict_one(x)
                model.learn_one(x, y)
        some = log[first + 1 : first + 1 + TURN]
        with spent.on("learner"):
            for start in range(0, len(some), 50):
                chunk = some[start : start + 50]
                await state.prepare("journal", chunk)
                state.apply("journal", chunk)
        await publishing.flush()
        entries = [upcoming_of(record) for record in some]
        with spent.on("fold"):
            for entry in entries:
                fold.step(entry)
    return {name: seconds / n * 1e6 for name, seconds in spent.seconds.items()}


def main(labels: int = 20_000) -> None:
    """Print the costs and their ratio."""
    gc.freeze()
    gc.set_threshold(*COLLECT_EVERY)  # as the services do
    found = asyncio.run(measure(labels))
    for name, micros in found.items():
        print(f"{name:8} {micros:7.1f} us a label   {micros / found['river']:.2f} x River alone")


if __name__ == "__main__":
    typer.run(main)
