"""Does the right version serve, whoever asks: learners, gates, people?"""

from typing import Any

import pytest

from driftline_schemas.codec import short_hash
from tests.unit.core.registry.book import (
    BINS,
    Book,
    gate,
    newer,
    running,
    spec,
    version,
)

SM1, LR1 = short_hash("sm", "1"), short_hash("lr", "1")


def test_the_champion_s_first_version_serves_at_once_and_others_do_not() -> None:
    book = running()
    assert book.serving == "sm/v1"
    assert book.facts[2].body["deployed"] == {
        "deployment_seq": 1, "version_id": SM1, "lineage": "sm",
    }  # fmt: skip
    assert "deployed" not in newer(book, "sm", 2).body


def test_a_followed_lineage_advances_by_itself() -> None:
    book = running(follow=True)
    newer(book, "sm", 2)
    assert book.serving == "sm/v2"
    newer(book, "lr", 2)
    assert book.serving == "sm/v2"


def test_a_version_of_a_former_spec_is_registered_and_not_followed() -> None:
    book = running(follow=True)
    old = book.facts[2].body["spec_hash"]
    now = book.accepted("apply_spec", spec(follow=True, alarm_budget=0.01)).body["spec_hash"]
    newer(book, "sm", 2, spec_hash=old)
    assert book.serving == "sm/v1"
    newer(book, "sm", 3)
    assert book.serving == "sm/v3"
    newer(book, "sm", 4, spec_hash=old, spec_in_force=now)
    assert book.serving == "sm/v4"


def test_a_gate_promotes_against_the_deployment_that_serves_and_no_other() -> None:
    book = running()
    assert "deployment 0" in book.refused("gate_evaluated", gate(LR1, 0))
    fact = book.accepted("gate_evaluated", gate(LR1, 1))
    assert fact.body["deployed"]["previous"] == SM1
    assert book.serving == "lr/v1"
    assert "deployment 2 serves now" in book.refused("gate_evaluated", gate(SM1, 1))


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        pytest.param({"lower": 0.0}, "lower bound 0", id="the bound is not above 0"),
        pytest.param({"mean": 0.02}, "least gain", id="too small a gain"),
        pytest.param({"version_id": "f" * 16}, "not registered", id="an unknown version"),
        pytest.param({"version_id": SM1}, "serves already", id="the champion itself"),
        pytest.param({"verdict": "no_data"}, "decides nothing", id="no data"),
        pytest.param({"lower": None}, "cannot be read: lower", id="a bound that is no number"),
    ],
)  # fmt: skip
def test_a_gate_that_proves_nothing_promotes_nothing(parts: dict[str, Any], says: str) -> None:
    assert says in running().refused("gate_evaluated", gate(LR1, 1, **parts))


TESTED = {
    **spec(test_set={"file": "fixed.csv", "label": "y", "floor": 0.8}),
    "files": {"fixed.csv": {"uri": "file:///f", "sha256": "f" * 64, "bytes": 9}},
}


def tried(value: float, digest: str = "f" * 64) -> dict[str, Any]:
    return {"test_set": {"name": "fixed.csv", "sha256": digest, "value": value}}


def with_test_set(first: float = 0.9) -> Book:
    """A book whose specification has a test set; the champion's first version has this accuracy."""
    book = Book()
    book.accepted("apply_spec", TESTED)
    book.accepted("model_updated", version(TESTED["spec_hash"], "sm", 1, **tried(first)))
    book.accepted("model_updated", version(TESTED["spec_hash"], "lr", 1, **tried(0.7)))
    return book


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        pytest.param(tried(0.79), "its accuracy is 0.79, below the floor 0.8", id="below"),
        pytest.param({}, "not tried on test set fixed.csv", id="not tried"),
        pytest.param(tried(0.9, "e" * 64), "not tried on test set fixed.csv", id="another file"),
        pytest.param(
            {"test_set": {**tried(0.7)["test_set"], "floor": 0.1}}, "below the floor 0.8",
            id="with a floor of its own",
        ),
    ],
)  # fmt: skip
def test_a_gate_promotes_no_version_that_fails_on_the_test_set(
    parts: dict[str, Any], says: str
) -> None:
    book = with_test_set()
    assert says in book.refused("gate_evaluated", gate(LR1, 1, **parts))
    book.accepted("gate_evaluated", gate(LR1, 1, **tried(0.8)))
    assert book.serving == "lr/v1"


def test_a_champion_that_fails_on_the_test_set_serves_only_if_somebody_says_so() -> None:
    book = with_test_set(first=0.5)
    assert book.serving is None
    book.accepted("promote", {"model": "churn", "version": "sm/v1"})
    assert book.serving == "sm/v1"


def test_a_followed_lineage_skips_versions_that_fail_on_the_test_set() -> None:
    book = Book()
    body = spec(test_set=TESTED["spec"]["test_set"], follow=True)
    book.accepted("apply_spec", {**body, "files": TESTED["files"]})
    book.accepted("model_updated", version(body["spec_hash"], "sm", 1, **tried(0.9)))
    newer(book, "sm", 2, **tried(0.5))
    assert book.serving == "sm/v1"
    newer(book, "sm", 3, **tried(0.8))
    assert book.serving == "sm/v3"


@pytest.mark.parametrize("verdict", ["promote", "reject"])
def test_a_verdict_against_another_deployment_is_refused_whatever_it_says(verdict: str) -> None:
    book = running()
    book.accepted("promote", {"model": "churn", "version": "lr/v1"})
    why = book.refused("gate_evaluated", gate(LR1, 1, verdict=verdict))
    assert why == "it was judged against deployment 1, and deployment 2 serves now"
    assert book.state.models["churn"].gates == {}


def test_a_rejection_is_recorded_and_changes_nothing() -> None:
    book = running()
    fact = book.accepted("gate_evaluated", gate(LR1, 1, verdict="reject"))
    assert "deployed" not in fact.body
    assert book.state.models["churn"].gates["lr"].evaluated.verdict == "reject"


def test_a_rollback_holds_the_lineage_until_somebody_lifts_it() -> None:
    book = running(follow=True)
    book.accepted("gate_evaluated", gate(LR1, 1))
    newer(book, "lr", 2)
    assert book.serving == "lr/v2"
    fact = book.accepted("rollback", {"model": "churn"})
    assert (book.serving, fact.body["held"]) == ("sm/v1", "lr")
    newer(book, "lr", 3)
    assert "held (by ann)" in book.refused("gate_evaluated", gate(short_hash("lr", "3"), 4))
    assert book.accepted("lift", {"model": "churn"}).body["lifted"] == ["lr"]
    book.accepted("gate_evaluated", gate(short_hash("lr", "3"), 4))
    assert book.serving == "lr/v3"


def test_a_gate_fact_that_arrives_after_a_rollback_is_refused() -> None:
    book = running()
    book.accepted("promote", {"model": "churn", "version": "lr/v1"})
    book.accepted("rollback", {"model": "churn"})
    assert "deployment 3 serves now" in book.refused("gate_evaluated", gate(LR1, 1))
    assert "deployment 3 serves now" in book.refused("gate_evaluated", gate(LR1, 2))


def test_another_spec_lifts_all_holds_and_the_same_spec_does_not() -> None:
    book = running()
    book.accepted("hold", {"model": "churn", "lineage": "lr"})
    other_bins = {**spec(), "bins": {**BINS, "bins_id": "00000000000000b2"}}
    book.accepted("apply_spec", other_bins)
    assert list(book.state.models["churn"].held) == ["lr"]
    book.accepted("apply_spec", spec(alarm_budget=0.01))
    assert list(book.state.models["churn"].held) == []


def test_a_second_rollback_goes_further_back_and_never_forward() -> None:
    book = running()
    book.accepted("promote", {"model": "churn", "version": "lr/v1"})
    newer(book, "lr", 2, parent=None)
    book.accepted("promote", {"model": "churn", "version": "lr/v2"})
    served = []
    while (fact := book.do("rollback", {"model": "churn"})).outcome == "accepted":
        served.append(book.serving)
    assert served == ["lr/v1", "sm/v1"]
    assert fact.body["why"] == (
        "no other lineage served churn before sm: name the version that is to serve (--to)"
    )


def test_where_nothing_else_ever_served_a_rollback_says_so() -> None:
    assert running().refused("rollback", {"model": "churn"}) == "nothing served churn before"


def test_with_one_lineage_a_rollback_goes_to_its_earlier_version_and_stops_following() -> None:
    book = running(follow=True)
    newer(book, "sm", 2)
    newer(book, "sm", 3)
    served = []
    while book.do("rollback", {"model": "churn"}).outcome == "accepted":
        served.append(book.serving)
    assert served == ["sm/v2", "sm/v1"]
    newer(book, "sm", 4)
    assert book.serving == "sm/v1"


def test_a_rollback_to_a_named_version_needs_one_that_served() -> None:
    book = running()
    assert "never served" in book.refused("rollback", {"model": "churn", "to": "lr/v1"})
    assert "serves already" in book.refused("rollback", {"model": "churn", "to": "sm/v1"})
    assert "no version" in book.refused("rollback", {"model": "churn", "to": "sm/v7"})
    book.accepted("promote", {"model": "churn", "version": "lr/v1"})
    assert book.accepted("rollback", {"model": "churn", "to": "sm/v1"}).body["name"]


def test_hold_without_a_lineage_holds_what_serves() -> None:
    book = running(follow=True)
    assert book.accepted("hold", {"model": "churn"}).body["held"] == "sm"
    assert "held already" in book.refused("hold", {"model": "churn"})
    newer(book, "sm", 2)
    assert book.serving == "sm/v1"
    assert "not held" in book.refused("lift", {"model": "churn", "lineage": "lr"})
    book.accepted("lift", {"model": "churn", "lineage": "sm/v2"})
    assert "no lineage of churn is held" in book.refused("lift", {"model": "churn"})
    assert "has no lineage x" in book.refused("hold", {"model": "churn", "lineage": "x"})
