"""Real sensor data with published drift, replayed by the command line as a user would."""

import csv
import gzip
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import sleep
from typing import Any

import pytest
from river import compose, linear_model, optim, preprocessing

from driftline.cli.apply import apply_spec, make_bins
from driftline.cli.spec_file import load_spec
from driftline.servers import local_servers
from driftline_schemas.topics import ALERTS, PREDICTIONS, VERDICTS
from tests.integration.installation import Installation, installation

DATA = Path(__file__).parents[3] / "shared/data/abrupt_insects/abrupt_insects.csv.gz"
KNOWN_ROWS, DRIFT, LABEL_DELAY = 1_065, 1_775, 100

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not DATA.exists(), reason="the data set lies beside the checkout only"),
]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Installation]:
    """An installation on servers of its own."""
    with local_servers() as servers, installation(servers, "insects", tmp_path) as made:
        yield made


def write_predictions(folder: Path) -> Path:
    """The rows with the predictions of a champion made from the first fifth, and its spec."""
    with gzip.open(DATA, "rt") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != "class"]
    features = [{name: float(row[name]) for name in names} for row in rows]
    champion = compose.Pipeline(
        preprocessing.StandardScaler(), linear_model.SoftmaxRegression(optim.SGD(0.01))
    )
    order, chance = list(range(KNOWN_ROWS)), Random(0)
    for _ in range(20):
        chance.shuffle(order)
        for index in order:
            champion.learn_one(features[index], rows[index]["class"])
    predicted = [champion.predict_one(x) for x in features]
    _write(folder / "insects.csv", [*names, "class", "predicted"],
           [[*r.values(), p] for r, p in zip(rows, predicted, strict=True)])  # fmt: skip
    _write(
        folder / "reference.csv", [*names, "class"], [list(r.values()) for r in rows[:KNOWN_ROWS]]
    )
    spec = folder / "insects.yaml"
    listed = "".join(f"  - {{name: {name}, kind: numeric}}\n" for name in names)
    spec.write_text(
        f"model: insects\ntask: multiclass\nfeatures:\n{listed}"
        "reference: {file: reference.csv, label: class}\n"
    )
    return spec


def _write(file: Path, header: list[str], rows: list[list[Any]]) -> None:
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(header)
        writer.writerows(rows)


def test_the_published_drift_is_found_and_nothing_before_it(
    made: Installation, tmp_path: Path
) -> None:
    spec = write_predictions(tmp_path)
    wanted = load_spec(spec)
    bins = make_bins(spec, wanted)
    apply_spec(made.settings, wanted, bins, actor="test", reason="test", agreed=True)
    made.start("joiner", "j1")
    made.start("monitor", "m1")
    made.wait_for_lag("joiner")
    sleep(3)  # the bins' lead
    subprocess.run(
        [sys.executable, "-m", "driftline", "replay", str(tmp_path / "insects.csv"),
         "--spec", str(spec), "--prediction", "predicted", "--label", "class",
         "--label-delay", f"{LABEL_DELAY}rows", "--speed", "40", "--from-row", str(KNOWN_ROWS)],
        env=made.process_environment, check=True, timeout=300,
    )  # fmt: skip
    made.wait_for_lag("joiner")
    sleep(20)  # the last panes close
    made.wait_for_lag("monitor")
    alerts = made.read(ALERTS)
    opened = {a["alert_id"]: a for a in alerts if a["check"] == "error" and a["revision"] == 1}
    rows = sorted(row_at(made, alert["opened_at"]) for alert in opened.values())
    assert len(rows) == 1
    assert 1_920 <= rows[0] <= 1_945
    first = min(
        v["window"]["to"]  # type: ignore[index]  # JSON
        for v in made.read(VERDICTS)
        if v["check"] == "data" and v["outcome"] == "drifted"
    )
    assert row_at(made, first) >= DRIFT


def row_at(made: Installation, moment: object) -> int:
    """The last row that was predicted before a moment (RFC 3339)."""
    return max(
        int(str(p["prediction_id"]).rpartition("-")[2])
        for p in made.read(PREDICTIONS)
        if str(p["predicted_at"]) < str(moment)
    )
