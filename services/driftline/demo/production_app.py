"""Plays the production app, in a process of its own: it knows the SDK and its model, no more.

Run as `python -m driftline.demo.production_app SEED FIRST LAST RATE` (FIRST 0: without a fault);
after every 40 rows it prints the last row, and in the end its counters as JSON.
"""

import os
import sys
from collections import deque
from time import monotonic, sleep

import orjson

from driftline.demo import segments
from driftline.demo.champion import train
from driftline.sdk import Driftline


def main() -> None:
    """Predict and publish at the given rate; labels come a hundred rows later."""
    seed, first, last, rate = (float(argument) for argument in sys.argv[1:5])
    known = segments.rows()
    model = train(known, int(seed))
    fault = segments.Fault(int(first), int(last)) if first else None
    app = Driftline(
        os.environ["DRIFTLINE_BROKERS"],
        os.environ["DRIFTLINE_TOPIC_PREFIX"],
        task="multiclass",
        producer_name="segments-app",
        producer_version="1",
    )
    publish(app, model, known, fault, rate)
    left = app.flush(30.0)
    statistics = app.statistics()
    sys.stdout.write(
        orjson.dumps(
            {"sent": statistics.sent, "dropped": sum(statistics.dropped.values()), "left": left}
        ).decode()
        + "\n"
    )


def publish(
    app: Driftline,
    model: object,
    known: list[tuple[segments.Features, str]],
    fault: segments.Fault | None,
    rate: float,
) -> None:
    """One prediction a row, and the label of the row a hundred before."""
    unlabelled: deque[tuple[int, str]] = deque()
    started = monotonic()
    for count, (row, features, label) in enumerate(segments.stream(known, fault)):
        sleep(max(0.0, started + count / rate - monotonic()))
        app.log_prediction(
            model=segments.MODEL,
            model_version=segments.VERSION,
            prediction_id=segments.prediction_id(row),
            features=features,
            prediction=model.predict_one(features),  # type: ignore[attr-defined]  # River's
        )
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
