"""Whatever the specification allows can be written and read back."""

import pickle

import pytest

from driftline.core.learning.allowed import ALLOWED
from driftline.core.learning.pipelines import build_pipeline
from driftline.core.learning.state_hash import state_hash
from driftline.runtime.models.loader import SafeCodec, load
from driftline.runtime.models.pickling import UnwritableModelError, dump
from tests.unit.core.learning.examples import ARFC, CASES, HTR, NUMERIC, learn, made, rows


@pytest.mark.parametrize("name", CASES)
def test_a_trained_model_is_read_back_as_it_was(name: str) -> None:
    case = CASES[name]
    model = case.build()
    learn(model, rows(case, 700))
    read = load(*dump(model))
    assert state_hash(read) == state_hash(model)
    later = [features for features, _ in rows(case, 50, seed=3)]
    assert [read.predict_one(x) for x in later] == [model.predict_one(x) for x in later]


def test_the_cases_use_every_class_that_is_allowed() -> None:
    used = repr([case.steps for case in CASES.values()])
    assert [name for name in ALLOWED if repr(name) not in used] == []


def test_a_forest_is_written_without_its_dead_generators() -> None:
    case = CASES[f"{ARFC} with nba"]
    model = case.build()
    learn(model, rows(case, 1_200))
    assert len(dump(model).payload) < len(pickle.dumps(model, 5)) / 5


def test_a_regression_tree_that_saw_a_growing_feature_can_be_written() -> None:
    model = build_pipeline([made(HTR)], NUMERIC, "regression").model
    for i in range(1_200):
        model.learn_one({"f0": float(i)}, float(i % 7))
    with pytest.raises(RecursionError):
        pickle.dumps(model)
    read = load(*dump(model))
    model.learn_one({"f0": 0.5}, 1.0)
    read.learn_one({"f0": 0.5}, 1.0)
    assert state_hash(read) == state_hash(model)


def test_what_the_loader_would_refuse_is_not_written() -> None:
    model = CASES["softmax"].build()
    model.learn_one({"f0": 1.0}, "a")
    vars(model)["steps"]["SoftmaxRegression"].weights.default_factory = pickle.partial(print)  # type: ignore[attr-defined]  # functools.partial
    with pytest.raises(UnwritableModelError):
        dump(model)


def test_the_codec_checks_bytes_once_and_their_sha256_always() -> None:
    codec = SafeCodec()
    model = CASES["softmax"].build()
    payload, manifest = codec.dump(model)
    assert state_hash(codec.load(payload, manifest)) == manifest.state_hash
    with pytest.raises(Exception, match="another sha256"):
        codec.load(payload[:-2] + b"x.", manifest)
