"""The files that pipelines learn from are checked, and kept where the learner finds them."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from driftline.cli.errors import CommandError
from driftline.cli.learning_files import put_learning_files
from driftline.cli.spec_file import load_spec
from driftline.runtime.models.artifacts import ArtifactStore
from driftline.runtime.settings import Settings, load
from driftline_schemas.spec import ModelSpec

ROWS = "age,left\n31,yes\n47,no\n"
SOFTMAX = [{"class": "linear_model.SoftmaxRegression"}]


def spec(**parts: Any) -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "model": "churn",
            "task": "multiclass",
            "features": [{"name": "age", "kind": "numeric"}],
            "pipelines": {"frozen": SOFTMAX, "learning": SOFTMAX},
            **parts,
        }
    )


def settings(folder: Path) -> Settings:
    return load(artifacts_url=f"file://{folder}/kept")


def test_a_file_is_kept_once_under_the_name_that_the_spec_has_for_it(tmp_path: Path) -> None:
    (tmp_path / "known.csv").write_text(ROWS)
    both = spec(
        train={"frozen": {"file": "known.csv", "label": "left", "passes": 20}},
        warm={"learning": {"file": "known.csv", "label": "left"}},
    )
    kept = put_learning_files(settings(tmp_path), tmp_path / "spec.yaml", both)
    assert list(kept) == ["known.csv"]
    store = ArtifactStore.at(f"file://{tmp_path}/kept")
    assert store.get(kept["known.csv"]).decode() == ROWS


def test_a_compressed_file_is_kept_as_its_rows(tmp_path: Path) -> None:
    (tmp_path / "known.csv.gz").write_bytes(gzip.compress(ROWS.encode()))
    warm = spec(warm={"learning": {"file": "known.csv.gz", "label": "left"}})
    kept = put_learning_files(settings(tmp_path), tmp_path / "spec.yaml", warm)
    assert kept["known.csv.gz"].bytes == len(ROWS)


def test_a_spec_without_files_needs_no_place_for_them(tmp_path: Path) -> None:
    assert put_learning_files(load(), tmp_path / "spec.yaml", spec()) == {}


def test_without_a_place_for_them_it_is_said_which_variable_to_set(tmp_path: Path) -> None:
    warm = spec(warm={"learning": {"file": "known.csv", "label": "left"}})
    with pytest.raises(CommandError, match="DRIFTLINE_ARTIFACTS_URL"):
        put_learning_files(load(), tmp_path / "spec.yaml", warm)


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "known.csv").write_text(ROWS)
    warm = spec(warm={"learning": {"file": "known.csv", "label": "gone"}})
    with pytest.raises(CommandError, match="no column 'gone'"):
        put_learning_files(settings(tmp_path), tmp_path / "spec.yaml", warm)


FAULTY = """
model: churn
task: multiclass
features: [{name: age, kind: numeric}]
reference: {file: known.csv, label: left}
pipelines:
  forest:
    - class: forest.ARFClassifier
      parameters: {seed: 1}
  odd:
    - class: cluster.KMeans
""".lstrip()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param("", r"line 10: pipelines\.odd\.0\.class: cluster\.KMeans", id="refused class"),
        pytest.param("train: {gone: {file: f.csv}}\n", "none of the pipelines", id="no pipeline"),
        pytest.param(
            "train: {odd: {file: f.csv}}\nwarm: {odd: {file: f.csv}}\n", "keep one", id="both"
        ),
    ],
)
def test_a_mistake_about_pipelines_is_told_with_its_remedy(
    tmp_path: Path, more: str, said: str
) -> None:
    (tmp_path / "spec.yaml").write_text(FAULTY + more)
    with pytest.raises(CommandError, match=said):
        load_spec(tmp_path / "spec.yaml")


def test_a_file_needs_a_label_column() -> None:
    with pytest.raises(ValueError, match=r"add `label: \.\.\.`"):
        spec(warm={"learning": {"file": "known.csv"}})
