"""Does every command have the one right answer?"""

from typing import Any

import pytest

from driftline_schemas.codec import short_hash
from driftline_schemas.fields import format_time
from tests.unit.core.registry.book import (
    BINS,
    START,
    Book,
    command,
    gate,
    newer,
    running,
    spec,
)

LR1 = short_hash("lr", "1")


def test_a_command_that_comes_again_changes_nothing() -> None:
    book = running()
    again = command("x", "promote", {"model": "churn", "version": "lr/v1"})
    assert book.bring(again) is not None
    before = list(book.facts)
    assert book.bring(again) is None
    assert book.bring(again.model_copy(update={"actor": "bob"})) is None
    assert book.facts == before


def test_a_refusal_is_remembered_too() -> None:
    book = running()
    wrong = command("x", "promote", {"model": "churn", "version": "lr/v9"})
    assert book.bring(wrong) is not None
    assert book.bring(wrong) is None


def test_without_an_installation_nothing_is_decided() -> None:
    assert "topics init" in Book(installed=False).refused("apply_spec", spec())


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        pytest.param({"actor": " "}, "names no actor", id="nobody"),
        pytest.param({"reason": ""}, "gives no reason", id="no reason"),
        pytest.param({"not_after": format_time(START - 1)}, "lapsed", id="too late"),
        pytest.param({"expected_seq": 99}, "another version serves churn", id="another deployment"),
    ],
)
def test_a_promotion_is_refused_for_what_surrounds_it(parts: dict[str, Any], says: str) -> None:
    body = {"model": "churn", "version": "lr/v1"}
    assert says in running().refused("promote", body, **parts)


def test_a_person_s_command_lapses_ten_seconds_after_it_was_appended() -> None:
    book = running()
    body = {"model": "churn", "version": "lr/v1"}
    late = book.bring(command("late", "promote", body), waited=10_001)
    assert late is not None
    assert late.why.startswith("the command lapsed 0.0 s ago")
    in_time = book.bring(command("in-time", "promote", body), waited=10_000)
    assert in_time is not None
    assert in_time.outcome == "accepted"


def test_a_service_s_command_never_lapses() -> None:
    book = running()
    day = 86_400_000
    proven = book.bring(command("g", "gate_evaluated", gate(LR1, 1)), waited=day)
    assert proven is not None
    assert proven.outcome == "accepted"


def test_a_spec_brings_its_bins_into_force_after_the_lead() -> None:
    book = Book()
    fact = book.accepted("apply_spec", spec())
    assert fact.body["bins"]["effective_from"] == format_time(START + 5_000)
    model = book.state.models["churn"]
    assert model.spec is not None
    assert model.spec.bins_id == BINS["bins_id"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param({}, "the body cannot be read: spec_hash", id="an empty body"),
        pytest.param({**spec(), "spec_hash": "0" * 16}, "not that of the spec", id="another hash"),
        pytest.param(spec(colour="red"), "colour: Extra inputs", id="an unknown key"),
        pytest.param(
            spec(schedules=[{"cron": "0 0 30 2 *", "pipeline": "lr"}]),
            "never comes", id="the 30th of February",
        ),
        pytest.param(
            spec(schedules=[{"cron": "R R * * *", "pipeline": "lr"}]),
            "no time that can be told", id="a time drawn by lot",
        ),
        pytest.param(
            spec(schedules=[{"cron": "* * * * * *", "pipeline": "lr"}]), "five fields", id="seconds"
        ),
        pytest.param(spec(bins={"x": 1}), "Extra", id="bins inside the spec"),
    ],
)  # fmt: skip
def test_a_spec_that_cannot_be_is_refused(body: dict[str, Any], says: str) -> None:
    assert says in Book().refused("apply_spec", body)


def test_a_spec_that_is_in_force_is_refused_and_so_is_one_for_another_state() -> None:
    book = Book()
    first = book.accepted("apply_spec", spec(), expected_seq=0)
    assert book.refused("apply_spec", spec()) == "this spec is in force already"
    assert "another spec" in book.refused("apply_spec", spec(follow=True), expected_seq=0)
    book.accepted("apply_spec", spec(follow=True), expected_seq=first.seq)


def test_versions_are_named_within_their_pipeline_and_keep_the_lineage_of_their_parent() -> None:
    book = running()
    assert newer(book, "lr", 2).body["name"] == "churn/lr/v2"
    retrained = newer(book, "lr", 3, parent=None)
    assert (retrained.body["name"], retrained.body["lineage"]) == ("churn/lr/v3", "lr@v3")
    named = newer(book, "lr", 4, lineage="lr-from-file")
    assert named.body["lineage"] == "lr-from-file"
    model = book.state.models["churn"]
    found = [model.find(name) for name in ("lr/v2", "churn/lr/v2", short_hash("lr", "2"))]
    assert {version.name for version in found if version} == {"churn/lr/v2"}
    assert [model.find(name) for name in ("lr/v", "lr/v9", "v2", "lr/v²", "")] == [None] * 5


def test_a_version_that_is_known_is_refused_with_a_word_about_its_state() -> None:
    book = running()
    body = dict(book.facts[2].body)
    assert book.refused("model_updated", body) == "churn/sm/v1 is this version already"
    other = book.refused("model_updated", {**body, "state_hash": "t"})
    assert other.endswith("its recipe is not the whole truth")


def test_a_version_needs_a_spec_that_was_applied() -> None:
    book = running()
    body = dict(book.facts[2].body)
    assert "no spec of other" in book.refused("model_updated", {**body, "model": "other"})
    unknown = {**body, "version_id": "1" * 16, "spec_hash": "1" * 16}
    assert "was ever applied" in book.refused("model_updated", unknown)


def test_all_models_wait_equally_long_for_their_labels() -> None:
    book = Book()
    assert "leave label_horizon out" in book.refused("apply_spec", spec(label_horizon="3d"))
    book.accepted("apply_spec", spec(label_horizon="1ms"))


def test_accepted_drift_is_about_the_bins_in_force() -> None:
    book = running()
    panes = {"model": "churn", "from_pane": format_time(0), "to_pane": format_time(5_000)}
    assert book.accepted("accept_drift", panes).body["bins_id"] == BINS["bins_id"]
    other = {**panes, "bins_id": "f" * 16}
    assert "other bins" in book.refused("accept_drift", other)
    backwards = {**panes, "to_pane": format_time(0)}
    assert "from_pane must be before" in book.refused("accept_drift", backwards)
    far = {**panes, "from_pane": 10**17, "to_pane": 10**18}
    assert "from_pane: is a time before year 2 or after" in book.refused("accept_drift", far)
    assert "no reference" in book.refused("accept_drift", {**panes, "model": "x"})


def test_a_retrain_is_of_a_pipeline_of_the_spec() -> None:
    book = running()
    wanted = {"model": "churn", "pipeline": "lr", "from": [3, 9], "passes": 2}
    assert book.accepted("retrain", wanted).body == wanted
    assert "(it has: lr, sm)" in book.refused("retrain", {**wanted, "pipeline": "x"})
    assert "must not be behind" in book.refused("retrain", {**wanted, "from": [9, 3]})
    assert "artifact is missing" in book.refused("retrain", {**wanted, "from": "f.csv"})
    file = {**wanted, "from": "f.csv", "artifact": {"uri": "a", "sha256": "0" * 64, "bytes": 1}}
    assert book.accepted("retrain", file).body == file


def test_a_body_cannot_smuggle_in_what_only_a_decision_may_say() -> None:
    book = running()
    smuggled = {
        "deployed": {"deployment_seq": 9, "version_id": LR1, "lineage": "lr"},
        "held": "sm", "name": "x",
    }  # fmt: skip
    book.accepted("retrain", {"model": "churn", "pipeline": "lr", "from": [3, 9], **smuggled})
    book.refused("promote", {"model": "churn", "version": "x", **smuggled})
    assert book.serving == "sm/v1"
    assert all("held" not in fact.body for fact in book.facts)


def test_an_installation_is_no_command_s_business() -> None:
    assert "topics init" in running().refused("installation", {"label_horizon_ms": 1})


def test_a_refused_fact_is_small_whatever_was_sent() -> None:
    book = running()
    book.do("promote", {"model": "churn", "version": "x" * 390, "junk": "y" * 100_000},
            reason="r" * 100_000, actor="a" * 10_000)  # fmt: skip
    fact = book.facts[-1]
    assert (len(fact.actor), len(fact.reason)) == (200, 1_000)
    assert len(fact.model_dump_json()) < 3_000
