"""What the README shows is what the code takes."""

import csv
import re
from pathlib import Path
from random import Random
from typing import Final

import pytest
import typer
from typer.core import TyperGroup

from driftline.cli.app import app
from driftline.cli.apply import make_bins
from driftline.cli.recorded_rows import recorded_rows
from driftline.cli.replay_columns import Wanted, columns_of
from driftline.cli.spec_file import load_spec, spec_hash
from driftline.cli.tables import read_rows
from driftline.core.learning.features import FeatureSchema
from driftline.core.learning.plans import plans_of
from driftline.core.learning.rows import FileRows, read_table
from driftline_schemas.control import SpecBody
from driftline_schemas.registry import Artifact
from driftline_schemas.spec import ModelSpec

README: Final = (Path(__file__).parents[2] / "README.md").read_text()
ROWS: Final = 200


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def write_rows(path: Path) -> None:
    """Made-up rows with the columns that the example names."""
    chance = Random(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["income", "country", "approved", "predicted"])
        for _ in range(ROWS):
            income, country = chance.randrange(1_000, 90_000), chance.choice(["NL", "DE", "FR"])
            approved = "yes" if income > 30_000 and country != "FR" else "no"
            writer.writerow([income, country, approved, chance.choice(["yes", "no"])])


@pytest.fixture
def spec(tmp_path: Path) -> tuple[Path, ModelSpec]:
    """The example, all parts of it together, beside the files that it names."""
    for name in ("reference.csv", "fixed.csv"):
        write_rows(tmp_path / name)
    path = tmp_path / "credit.yaml"
    path.write_text("".join(blocks("yaml")))
    return path, load_spec(path)


def test_the_example_is_a_specification_with_all_its_parts(spec: tuple[Path, ModelSpec]) -> None:
    _, credit = spec
    assert credit.pipelines.keys() == {"frozen", "learning"}
    assert credit.champion == "frozen"
    assert credit.learning_files == ["fixed.csv", "reference.csv"]


def test_its_first_part_alone_is_one_too(tmp_path: Path) -> None:
    path = tmp_path / "credit.yaml"
    path.write_text(blocks("yaml")[0])
    assert load_spec(path).pipelines == {}


def test_its_reference_gives_bins(spec: tuple[Path, ModelSpec]) -> None:
    path, credit = spec
    bins = make_bins(path, credit)
    assert bins is not None
    assert bins.n == ROWS
    assert bins.features.keys() == {"income", "country"}
    assert bins.prediction is not None


def test_its_pipelines_learn_the_reference(spec: tuple[Path, ModelSpec]) -> None:
    path, credit = spec
    artifact = Artifact(uri="memory://a", sha256="0" * 64, bytes=1)
    files = dict.fromkeys(credit.learning_files, artifact)
    plans = plans_of(SpecBody(spec_hash=spec_hash(credit), spec=credit, files=files))
    schema = FeatureSchema.of(credit.features)
    raw = (path.parent / "reference.csv").read_bytes()
    for name, plan in plans.items():
        assert plan.fault is None
        assert plan.label is not None
        rows = FileRows.of(read_table(raw), schema, credit.task, plan.label)
        model = plan.build().model
        for number in range(len(rows)):
            features, label = rows[number]
            model.learn_one(features, label)
        right = sum(model.predict_one(rows[n][0]) == rows[n][1] for n in range(len(rows)))
        assert right > 0.8 * ROWS, name


def test_the_file_that_it_replays_needs_the_columns_of_the_reference(
    spec: tuple[Path, ModelSpec],
) -> None:
    path, credit = spec
    history = path.parent / "reference.csv"
    columns = columns_of(history, credit, Wanted(None, None, None, None, None, asks=False))
    first = next(iter(recorded_rows(history, columns)))
    raw = next(iter(read_rows(history, ())))
    assert (first.prediction, first.label) == (raw["predicted"], raw["approved"])
    assert first.features == {"income": float(raw["income"]), "country": raw["country"]}


def test_every_command_that_it_names_exists() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    named = set(re.findall(r"(?:^|\n|`)driftline ([a-z-]+)", "\n".join([*blocks("bash"), README])))
    assert {"apply", "gate", "versions"} <= named
    assert named <= group.commands.keys()


def test_every_option_of_a_command_that_it_shows_exists() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    for line in "\n".join(blocks("bash")).splitlines():
        words = line.split("#")[0].split()
        if words[:1] != ["driftline"]:
            continue
        command = group.commands[words[1]]
        if isinstance(command, TyperGroup):
            command = command.commands[words[2]]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line
