"""Plays the production app, in a process of its own.

Run as `python -m driftline.demo.production_app FIRST LAST RATE scorer URL`, which asks a scorer for
each prediction, or `... frozen SEED`, which has a model of its own and publishes what it predicts
through the SDK (FIRST 0: without a fault). Labels come through the SDK a hundred rows later. After
every 40 rows it prints the last row, and in the end its counters as JSON.
"""

import os
import sys
from collections import deque
from collections.abc import Callable
from time import monotonic, sleep

import orjson

from driftline.cli.asking import Scorer
from driftline.demo import segments
from driftline.demo.champion import train
from driftline.sdk import Driftline

Predict = Callable[[int, segments.Features], None]


def main() -> None:
    """Predict at the given rate, and publish labels."""
    first, last, rate = (float(argument) for argument in sys.argv[1:4])
    how, where = sys.argv[4:6]
    known = segments.rows()
    fault = segments.Fault(int(first), int(last)) if first else None
    app = Driftline(
        os.environ["DRIFTLINE_BROKERS"],
        os.environ["DRIFTLINE_TOPIC_PREFIX"],
        task="multiclass",
        producer_name="segments-app",
        producer_version="1",
    )
    predict = asks(where) if how == "scorer" else has_its_own(app, known, int(where))
    stream(app, predict, known, fault, rate)
    left = app.flush(30.0)
    statistics = app.statistics()
    dropped = sum(statistics.dropped.values())
    told = orjson.dumps({"sent": statistics.sent, "dropped": dropped, "left": left})
    sys.stdout.write(told.decode() + "\n")


def has_its_own(app: Driftline, known: list[tuple[segments.Features, str]], seed: int) -> Predict:
    """A frozen model, made before the start."""
    model = train(list(known), seed)

    def predict(row: int, features: segments.Features) -> None:
        app.log_prediction(
            model=segments.MODEL,
            model_version=segments.VERSION,
            prediction_id=segments.prediction_id(row),
            features=features,
            prediction=model.predict_one(features),
        )

    return predict


def asks(scorer: str) -> Predict:
    """Predictions by HTTP; the scorer publishes them."""
    client = Scorer(scorer)

    def predict(row: int, features: segments.Features) -> None:
        client.predict(segments.MODEL, segments.prediction_id(row), features)

    return predict


def stream(
    app: Driftline,
    predict: Predict,
    known: list[tuple[segments.Features, str]],
    fault: segments.Fault | None,
    rate: float,
) -> None:
    """One prediction a row, and the label of the row a hundred before."""
    unlabelled: deque[tuple[int, str]] = deque()
    started = monotonic()
    for count, (row, features, label) in enumerate(segments.stream(known, fault)):
        sleep(max(0.0, started + count / rate - monotonic()))
        predict(row, features)
        unlabelled.append((row, label))
        if len(unlabelled) > segments.LABEL_DELAY:
            old, truth = unlabelled.popleft()
            app.log_label(
                model=segments.MODEL, prediction_id=segments.prediction_id(old), label=truth
            )
        if count % 40 == 0:
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
