"""Names for true and false."""

from typing import Any

import pytest

from driftline.core.learning.binary import BinaryLabels


class Recording:
    """Remembers what it learned and predicts the last of it."""

    def __init__(self) -> None:
        self.learned: list[Any] = []

    def learn_one(self, x: dict[str, Any], y: Any) -> None:
        self.learned.append(y)

    def predict_one(self, x: dict[str, Any]) -> bool:
        return bool(self.learned) and bool(self.learned[-1])

    def predict_proba_one(self, x: dict[str, Any]) -> dict[bool, float]:
        return {False: 0.25, True: 0.75}


@pytest.mark.parametrize(
    ("labels", "learned"),
    [
        (["no", "yes", "no"], [False, True, False]),
        (["yes", "no"], [True, False]),
        (["1", "0", "1"], [True, False, True]),
        (["True", "False"], [True, False]),
        (["UP", "DOWN", "UP"], [False, True, False]),
        (["1", "2"], [True, False]),
        (["a", "b", "c", "a"], [False, True, False]),
    ],
    ids=["yes second", "yes first", "digits", "Python's words", "any", "one and two", "a third"],
)
def test_the_first_two_classes_become_false_and_true(
    labels: list[str], learned: list[bool]
) -> None:
    model = BinaryLabels(Recording())
    for label in labels:
        model.learn_one({}, label)
    assert model.model.learned == learned


def test_it_predicts_names_and_nothing_before_it_knows_any() -> None:
    model = BinaryLabels(Recording())
    assert model.predict_one({}) is None
    assert model.predict_proba_one({}) == {}
    model.learn_one({}, "UP")
    assert model.predict_one({}) == "UP"
    model.learn_one({}, "DOWN")
    assert model.predict_one({}) == "DOWN"
    assert model.predict_proba_one({}) == {"UP": 0.25, "DOWN": 0.75}
