"""Is a change of a specification shown key by key?"""

from driftline.cli.alerts import age
from driftline.cli.differences import differences


def test_features_are_compared_by_name_and_everything_else_by_path() -> None:
    before = {
        "model": "m",
        "alarm_budget": 0.01,
        "gate": {"alpha": 0.05},
        "features": [{"name": "a", "kind": "numeric"}, {"name": "b", "kind": "numeric"}],
    }
    after = {
        "model": "m",
        "gate": {"alpha": 0.1},
        "features": [{"name": "b", "kind": "boolean"}, {"name": "c", "kind": "numeric"}],
    }
    assert differences(before, after) == [
        "- alarm_budget: 0.01",
        "- features[a].kind: numeric",
        "~ features[b].kind: numeric -> boolean",
        "+ features[c].kind: numeric",
        "~ gate.alpha: 0.05 -> 0.1",
    ]  # fmt: skip


def test_equal_specifications_have_no_differences() -> None:
    assert differences({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}) == []


def test_an_age_is_said_in_its_largest_unit() -> None:
    assert [age(ms) for ms in (-5, 4_999, 60_000, 7_200_000, 3 * 86_400_000)] == [
        "0 s", "4 s", "1 min", "2 h", "3 d",
    ]  # fmt: skip
