"""Plays the production app, in a process of its own, by the orders in its one argument.

It asks a scorer for each prediction, or has a frozen model of its own and publishes what that
predicts through the SDK. Labels come through the SDK a hundred rows later. After every 40 rows it
prints the last row, and in the end its counters as JSON.
"""

import os
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Self

import orjson

from driftline.cli.asking import Scorer
from driftline.demo.champion import train
from driftline.demo.own_rows import OwnRows
from driftline.demo.plan import stream_of
from driftline.demo.stream import LABEL_DELAY, Fault, Features, Stream
from driftline.sdk import Driftline
from driftline_schemas.fields import Output

VERSION = "champion-1"  # of its own model
Predict = Callable[[int, Features], None]


@dataclass(frozen=True, slots=True)
class Orders:
    """Whose rows, what is wrong with them, how many a second, and who predicts: the scorer, or
    without one a model that is trained with the seed."""

    own: OwnRows | None
    fault: Fault | None
    rate: float
    scorer: str | None
    seed: int

    def written(self) -> str:
        """As an argument of the process."""
        return orjson.dumps(asdict(self), default=str).decode()

    @classmethod
    def read(cls, argument: str) -> Self:
        """The orders that `written` gave."""
        said = orjson.loads(argument)
        if own := said.pop("own"):
            file, left_out = Path(own["file"]), tuple(own["left_out"])
            own = OwnRows(**{**own, "file": file, "left_out": left_out})
        if fault := said.pop("fault"):
            fault = Fault(**fault)
        return cls(own, fault, **said)


def main() -> None:
    """Predict at the given rate, and publish labels."""
    orders = Orders.read(sys.argv[1])
    stream = stream_of(orders.own)
    app = Driftline(
        os.environ["DRIFTLINE_BROKERS"],
        os.environ["DRIFTLINE_TOPIC_PREFIX"],
        task=stream.task,
        producer_name=f"{stream.model}-app",
        producer_version="1",
    )
    scorer, seed = orders.scorer, orders.seed
    predict = asks(scorer, stream) if scorer else has_its_own(app, stream, seed)
    play(app, predict, stream, orders)
    left = app.flush(30.0)
    statistics = app.statistics()
    dropped = sum(statistics.dropped.values())
    told = orjson.dumps({"sent": statistics.sent, "dropped": dropped, "left": left})
    sys.stdout.write(told.decode() + "\n")


def has_its_own(app: Driftline, stream: Stream, seed: int) -> Predict:
    """A frozen model, made before the start."""
    model = train(stream.rows[: stream.known], seed)

    def predict(row: int, features: Features) -> None:
        app.log_prediction(
            model=stream.model,
            model_version=VERSION,
            prediction_id=stream.prediction_id(row),
            features=features,
            prediction=model.predict_one(features),
        )

    return predict


def asks(scorer: str, stream: Stream) -> Predict:
    """Predictions by HTTP; the scorer publishes them."""
    client = Scorer(scorer)

    def predict(row: int, features: Features) -> None:
        client.predict(stream.model, stream.prediction_id(row), features)

    return predict


def play(app: Driftline, predict: Predict, stream: Stream, orders: Orders) -> None:
    """One prediction a row, and the label of the row a hundred before."""
    unlabelled: deque[tuple[int, Output | None]] = deque()
    started = monotonic()
    for count, (row, features, label) in enumerate(stream.played(orders.fault)):
        sleep(max(0.0, started + count / orders.rate - monotonic()))
        predict(row, features)
        unlabelled.append((row, label))
        if len(unlabelled) > LABEL_DELAY:
            old, truth = unlabelled.popleft()
            if truth is not None:
                app.log_label(
                    model=stream.model, prediction_id=stream.prediction_id(old), label=truth
                )
        if count % 40 == 0:
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
