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
from driftline.cli.learning_files import put_learning_files
from driftline.cli.spec_file import load_spec
from driftline.servers import local_servers
from driftline.servers.ports import free_ports
from driftline_schemas.topics import ALERTS, JOURNAL, PREDICTIONS, REGISTRY, VERDICTS
from tests.integration.installation import Installation, installation
from tests.marks import long
from tests.verifier.learning import verify_learning

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


def write_learning(folder: Path) -> Path:
    """The rows, and a spec whose champion is made from the first fifth and whose challenger, which
    has seen them once, learns on."""
    spec = write_predictions(folder)
    softmax = """
    - class: preprocessing.StandardScaler
    - class: linear_model.SoftmaxRegression
      parameters: {optimizer: {class: optim.SGD, parameters: {lr: 0.01}}}"""
    spec.write_text(
        spec.read_text()
        + f"pipelines:\n  frozen:{softmax}\n  softmax:{softmax}\n"
        + "champion: frozen\nfollow: true\nversion_every: 50\n"
        + "train: {frozen: {file: reference.csv, passes: 20, seed: 0}}\n"
        + "warm: {softmax: {file: reference.csv}}\n"
    )
    return spec


def _write(file: Path, header: list[str], rows: list[list[Any]]) -> None:
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(header)
        writer.writerows(rows)


@long
def test_the_published_drift_is_found_and_nothing_before_it(
    made: Installation, tmp_path: Path
) -> None:
    spec = write_predictions(tmp_path)
    wanted = load_spec(spec)
    bins = make_bins(spec, wanted)
    apply_spec(made.settings, wanted, bins, actor="test", reason="test", agreed=True)
    made.start("joiner", "j1")
    made.start("monitor", "m1")
    made.wait_until_ready("j1", "m1")
    sleep(3)  # the bins' lead
    subprocess.run(
        [sys.executable, "-m", "driftline", "replay", str(tmp_path / "insects.csv"),
         "--spec", str(spec), "--prediction", "predicted", "--label", "class",
         "--label-delay", f"{LABEL_DELAY}rows", "--speed", "40", "--from-row", str(KNOWN_ROWS)],
        env=made.process_environment, check=True, timeout=1_800,
    )  # fmt: skip
    made.wait_for_lag("joiner")
    sleep(20)  # the last panes close
    made.wait_for_lag("monitor")
    (incident,) = error_incidents(made)
    assert 1_920 <= row_at(made, incident[0]["opened_at"]) <= 1_945
    first = min(
        v["window"]["to"]  # type: ignore[index]  # JSON
        for v in made.read(VERDICTS)
        if v["check"] == "data" and v["outcome"] == "drifted"
    )
    assert row_at(made, first) >= DRIFT


@long
def test_the_challenger_takes_over_where_the_drift_is(tmp_path: Path) -> None:
    """No second incident and no rollback when the world goes back: the lineage follows."""
    (port,) = free_ports(1)
    artifacts = f"file://{tmp_path}/artifacts"
    with (
        local_servers() as servers,
        installation(servers, "insects", tmp_path, artifacts_url=artifacts) as made,
    ):
        spec = write_learning(tmp_path)
        wanted = load_spec(spec)
        bins, files = make_bins(spec, wanted), put_learning_files(made.settings, spec, wanted)
        apply_spec(made.settings, wanted, bins, files, actor="test", reason="test", agreed=True)
        for role in ("joiner", "monitor", "registry", "learner"):
            made.start(role, role)
        made.start("scorer", "scorer", DRIFTLINE_SCORER_PORT=str(port))
        made.wait_until_ready("joiner", "monitor", "registry", "learner")
        subprocess.run(
            [sys.executable, "-m", "driftline", "replay", str(tmp_path / "insects.csv"),
             "--spec", str(spec), "--scorer", f"http://127.0.0.1:{port}", "--label", "class",
             "--label-delay", f"{LABEL_DELAY}rows", "--speed", "40", "--from-row", str(KNOWN_ROWS)],
            env=made.process_environment, check=True, timeout=1_800,
        )  # fmt: skip
        for role in ("joiner", "learner", "registry", "monitor"):
            made.wait_for_lag(role)
        (incident,) = error_incidents(made)
        assert 1_920 <= row_at(made, incident[0]["opened_at"]) <= 1_945
        assert incident[-1]["status"] == "resolved"
        assert row_at(made, incident[-1]["at"]) <= 2_620
        (promotion,) = [
            fact
            for fact in made.read(REGISTRY)
            if fact["action"] == "gate_evaluated" and "deployed" in fact["body"]  # type: ignore[operator]  # JSON
        ]
        assert 2_220 <= row_at(made, promotion["at"]) <= 2_290
        joined = [record for record in made.read(JOURNAL) if record["kind"] == "joined"]
        served = sum(record["prediction"] == record["label"] for record in joined) / len(joined)
        assert len(joined) == 5_325 - KNOWN_ROWS
        assert 0.79 <= served <= 0.82
        report = verify_learning(servers.brokers, "insects", "insects", tmp_path / "artifacts")
        assert report.exact, str(report)


def error_incidents(made: Installation) -> list[list[dict[str, Any]]]:
    """The revisions of each, in order."""
    alerts = [alert for alert in made.read(ALERTS) if alert["check"] == "error"]
    by_id: dict[object, dict[object, dict[str, Any]]] = {}
    for alert in alerts:
        by_id.setdefault(alert["alert_id"], {})[alert["revision"]] = alert
    return [[revisions[n] for n in sorted(revisions)] for revisions in by_id.values()]  # type: ignore[type-var]  # JSON


def row_at(made: Installation, moment: object) -> int:
    """The last row that was predicted before a moment (RFC 3339)."""
    return max(
        int(str(p["prediction_id"]).rpartition("-")[2])
        for p in made.read(PREDICTIONS)
        if str(p["predicted_at"]) < str(moment)
    )
