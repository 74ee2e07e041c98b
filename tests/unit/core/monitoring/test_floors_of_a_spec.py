"""Which floors does a specification take?"""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from driftline.cli.errors import CommandError
from driftline.cli.spec_file import load_spec
from driftline_schemas.control import SpecBody
from driftline_schemas.spec import ModelSpec

ACCURACY = {"metric": "accuracy", "below": 0.85, "over_labels": 200}


def spec(floors: list[dict[str, Any]], task: str = "binary") -> dict[str, Any]:
    features = [{"name": "x", "kind": "numeric"}]
    return {"model": "m", "task": task, "features": features, "floors": floors}


REFUSED = [
    pytest.param("regression", [ACCURACY],
                 "regression models have no floors, because the metric of a floor is accuracy,"
                 " which needs classes: leave floors out", id="numbers"),
    pytest.param("binary", [{**ACCURACY, "metric": "log_loss"}],
                 "a floor on 'log_loss' is not possible, its metric must be accuracy",
                 id="another metric"),
    pytest.param("multiclass", [{**ACCURACY, "below": 85}],
                 "a floor of accuracy lies above 0 and not above 1, not at 85", id="percent"),
    pytest.param("binary", [{**ACCURACY, "over_labels": 10_001}],
                 "a floor looks at no more than 10,000 labels (over_labels)", id="too many labels"),
    pytest.param("binary", [ACCURACY, {**ACCURACY, "below": 0.8}],
                 "a metric has one floor: keep one of those on accuracy", id="two"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "floors", "why"), REFUSED)
def test_floors_that_cannot_be_watched_are_refused_in_one_sentence(
    task: str, floors: list[dict[str, Any]], why: str
) -> None:
    with pytest.raises(ValidationError, match="floors") as refused:
        ModelSpec.model_validate(spec(floors, task))
    (fault,) = refused.value.errors()
    assert (fault["loc"], str(fault["ctx"]["error"])) == (("floors",), why)


@pytest.mark.parametrize(("task", "floors", "why"), REFUSED)
def test_one_that_an_older_release_recorded_is_read_and_not_watched(
    task: str, floors: list[dict[str, Any]], why: str
) -> None:
    body = SpecBody.model_validate({"spec_hash": "a" * 16, "spec": spec(floors, task)})
    assert len(body.spec.floors) == len(floors)
    assert body.spec.watched_floors == []


def test_accuracy_of_classes_is_watched() -> None:
    taken = ModelSpec.model_validate(spec([ACCURACY]))
    assert taken.watched_floors == taken.floors


def test_the_file_and_the_line_are_named(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(
        "model: m\ntask: regression\nfeatures: [{name: x, kind: numeric}]\n"
        "floors: [{metric: mae, below: 3, over_labels: 10}]\n"
    )
    with pytest.raises(CommandError) as refused:
        load_spec(path)
    assert str(refused.value) == (
        f"{path}, line 4: floors: regression models have no floors, because the metric of a floor"
        " is accuracy, which needs classes: leave floors out."
    )
