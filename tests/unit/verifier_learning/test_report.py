"""What was learned and judged faultlessly is exact; each fault is told."""

from collections.abc import Callable
from functools import cache
from typing import Any

import orjson
import pytest

from driftline.core.learning.versions import Shelf
from tests.unit.core.learning.examples import made
from tests.unit.verifier_learning.world import TREE, World, reseal, spec
from tests.verifier.learning import LearningReport
from tests.verifier.reading import Record

Json = dict[str, Any]
LOGISTIC = [
    {"class": "preprocessing.StandardScaler"},
    {"class": "preprocessing.OneHotEncoder"},
    made("linear_model.LogisticRegression"),
]


@cache
def world(task: str = "multiclass") -> World:
    return World(spec(task)).run()


def comparison(report: LearningReport, kind: str) -> list[str]:
    """What is wrong with one kind of output."""
    found = next(entry for entry in report.comparisons if entry.kind == kind)
    return [*found.missing, *found.extra, *found.different]


def test_a_run_with_a_takeover_is_exact() -> None:
    report = world().verified()

    assert report.exact, str(report)
    assert [entry.partition(": ")[2] for entry in report.happened] == [
        "incident opened", "tree deployed in place of champion", "incident resolved",
    ]  # fmt: skip
    assert all(entry.expected > 0 for entry in report.comparisons)
    right = [joined["prediction"] == joined["label"] for joined in joined_records(world().journal)]
    assert report.figures["served accuracy"] == pytest.approx(sum(right) / len(right))


def joined_records(journal: list[Record]) -> list[Json]:
    documents = [orjson.loads(record.value or b"") for record in journal]
    return [document for document in documents if document["kind"] == "joined"]


def test_a_regression_is_exact_and_has_a_mean_absolute_error() -> None:
    report = world("regression").verified()

    assert report.exact, str(report)
    joined = joined_records(world("regression").journal)
    off = [abs(document["prediction"] - document["label"]) for document in joined]
    assert report.figures["served MAE"] == pytest.approx(sum(off) / len(off))


def pipelines(**others: Any) -> Json:
    """Those of the spec, and others."""
    return {**spec()["pipelines"], **others}


WARM = {"file": "past.csv", "label": "y"}
LEARNING: Json = {"train": {}, "warm": {"champion": WARM, "linear": WARM}, "version_every": 20}
SCENARIOS: dict[str, World] = {
    "pairs that must mature": World(spec(gate={"maturity": "2s"})),
    "means of blocks": World(spec(gate={"block": "250ms", "min_pairs": 50})),
    "means of blocks that must mature": World(spec(gate={"maturity": "1s", "block": "500ms"})),
    "a champion that learns leaves a copy": World(
        spec(pipelines=pipelines(champion=[TREE]), **LEARNING)
    ),
    "people promote to and fro, and copies pile up": World(
        spec(pipelines=pipelines(champion=[TREE]), **LEARNING),
        {row: ("promote", {"version": f"plant/{name}"}) for row, name in (
            (200, "linear/v3"), (260, "champion/v2"), (320, "linear/v4"), (380, "tree/v3"),
            (500, "linear/v6"), (900, "champion/v9"),
        )},
    ),
    "a rollback": World(spec(), {800: ("rollback", {})}),
    "served outside": World(spec(champion=None), outside=True),
    "a new spec changes a pipeline, leaves one, drops one": World(
        spec(), {450: ("apply_spec", spec(
            pipelines={"linear": pipelines()["linear"], "champion": pipelines()["champion"],
                       "other": [TREE]},
            version_every=30, gate={"maturity": "1s"},
        ))},
    ),
    "a new spec changes what serves": World(
        spec(), {450: ("apply_spec", spec(pipelines=pipelines(champion=[TREE])))},
    ),
    "a pipeline learns the journal again": World(
        spec(), {300: ("retrain", {"model": "plant", "pipeline": "tree", "from": [20, 250],
                                   "passes": 3})},
    ),
    "what serves learns a file again": World(
        spec(), {300: ("retrain", {"model": "plant", "pipeline": "champion", "from": "past.csv",
                                   "passes": 2})},
    ),
    "labels out of order": World(spec(), delays=(20, 160)),
    "labels later than the versions that are kept": World(spec(version_every=5), delays=(20, 400)),
    "a binary label on mixed features": World(
        spec(
            "binary",
            features=[{"name": name, "kind": kind} for name, kind in
                      (("a", "numeric"), ("b", "numeric"), ("colour", "categorical"),
                       ("new", "boolean"), ("c", "numeric"))],
            pipelines={"champion": LOGISTIC, "linear": LOGISTIC, "tree": [TREE]},
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_the_learner_does_is_exact(name: str) -> None:
    report = SCENARIOS[name].run().verified()

    assert report.exact, str(report)
    assert report.comparisons[0].expected > 10


def test_records_that_were_written_twice_change_nothing() -> None:
    journal = world().journal
    again = [*journal, *journal[500:600]]
    shifted = [record._replace(offset=at) for at, record in enumerate(again)]

    report = world().verified(journal=shifted)

    assert report.exact, str(report)
    assert report.figures["joined records that were repeated"] == 100


def changed(records: list[Record], at: int, change: Callable[[Json], None]) -> list[Record]:
    """The records, one of them changed in place."""
    document = orjson.loads(records[at].value or b"")
    change(document)
    return [*records[:at], records[at]._replace(value=orjson.dumps(document)), *records[at + 1 :]]


def fact_of(action: str, number: int = 0) -> int:
    """Place of the accepted fact of an action."""
    places = [
        fact.seq
        for fact in world().book.facts
        if fact.action == action and fact.outcome == "accepted"
    ]
    return places[number]


def test_a_fact_that_was_changed_breaks_the_chain() -> None:
    place = fact_of("model_updated", 4)
    report = world().verified(
        facts=changed(world().facts, place, lambda fact: fact.update(reason="another"))
    )

    assert not report.exact
    assert report.violations == [f"fact {place} was changed after it was written"]


def resealed(place: int, change: Callable[[Json], None]) -> list[Record]:
    def only(fact: Json) -> None:
        if fact["seq"] == place:
            change(fact["body"])

    return reseal(world().facts, only)


def test_another_state_hash_is_told() -> None:
    facts = resealed(fact_of("model_updated", 9), lambda body: body.update(state_hash="0" * 64))
    report = world().verified(facts=facts)

    assert not report.exact
    [line] = comparison(report, "versions")
    assert "state hash 0000000000000000, the journal gives" in line


def test_another_origin_is_told() -> None:
    place = next(fact.seq for fact in world().book.facts if "origin" in fact.body)
    facts = resealed(place, lambda body: body["origin"].update(fact=99))
    report = world().verified(facts=facts)

    assert not report.exact
    [line] = comparison(report, "versions")
    assert "its recipe has" in line


def test_a_version_that_was_never_registered_is_missing() -> None:
    facts = world().facts
    facts = reseal([*facts[:6], *facts[7:]], lambda _: None)
    report = world().verified(facts=facts)

    assert not report.exact
    assert len(comparison(report, "versions")) == 1


def test_another_mean_of_a_gate_is_told() -> None:
    place = fact_of("gate_evaluated", -1)
    facts = resealed(place, lambda body: body.update(mean=body["mean"] + 1e-6))
    report = world().verified(facts=facts)

    assert not report.exact
    [line] = comparison(report, "gate verdicts")
    assert ": mean " in line
    assert "the journal gives" in line


@pytest.mark.parametrize("name", ["lower", "upper", "n", "alpha", "k"])
def test_each_number_of_a_gate_counts(name: str) -> None:
    facts = resealed(fact_of("gate_evaluated"), lambda body: body.update({name: body[name] + 1}))
    assert comparison(world().verified(facts=facts), "gate verdicts")


def test_another_mean_in_the_metrics_is_told_by_its_offset() -> None:
    def change(document: Json) -> None:
        document["metrics"]["mean"] += 0.01

    report = world().verified(metrics=changed(world().metrics, 20, change))

    assert not report.exact
    [line] = comparison(report, "gate metrics")
    assert "at offset" in line


def joined_with(entry: str, rows: range) -> int:
    """Place of a joined record that holds these bytes."""
    journal = world().journal
    return next(at for at in rows if entry.encode() in (journal[at].value or b""))


def test_a_label_that_was_flipped_afterwards_shows_in_the_versions_that_learned_it() -> None:
    at = joined_with('"label":"high"', range(400, 500))
    journal = changed(world().journal, at, lambda joined: joined.update(label="low"))
    report = world().verified(journal=journal)

    assert not report.exact
    assert any("state hash" in line for line in comparison(report, "versions"))


def test_labels_in_another_order_show_in_the_versions() -> None:
    journal = list(world().journal)
    one, other = journal[410], journal[411]
    journal[410:412] = [one._replace(value=other.value), other._replace(value=one.value)]

    assert any("state hash" in line for line in comparison(verified(journal), "versions"))


def verified(journal: list[Record]) -> LearningReport:
    return world().verified(journal=journal)


def test_a_challenger_scored_by_what_it_learned_later_shows_in_the_gate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Shelf, "before", lambda shelf, _: shelf.newest)
    report = World(spec()).run().verified()

    assert not report.exact
    assert any("; the journal gives" in line for line in comparison(report, "gate verdicts"))
    assert any("mean" in line for line in comparison(report, "gate metrics"))
    assert not comparison(report, "versions")  # the states are right, what they said is not


def test_a_prediction_that_its_version_does_not_make_is_told() -> None:
    at = joined_with('"prediction":"high"', range(900, 999))
    journal = changed(world().journal, at, lambda joined: joined.update(prediction="low"))
    report = world().verified(journal=journal)

    assert any("'low' was served by" in line for line in comparison(report, "served"))
    assert any("prediction" in line for line in comparison(report, "copies"))


def test_what_is_to_come_is_no_difference_but_what_is_left_out_is() -> None:
    written = [orjson.loads(record.value or b"") for record in world().metrics]
    early = [r for r, m in zip(world().metrics, written, strict=True) if m["at_offset"] < 900]
    late = (f.seq for f in world().book.facts if f.body.get("offsets", [0, 0])[1] >= 900)
    report = world().verified(facts=world().facts[: next(late)], metrics=early)
    assert (report.exact, report.exact_so_far) == (False, True), str(report)
    assert str(report).startswith(f"plant: NOT COMPLETE, exact so far, {report.to_come} to come\n")
    assert report.to_come > 10

    report = world().verified(metrics=world().metrics[:50] + world().metrics[60:])
    assert not report.exact_so_far
    assert len(comparison(report, "gate metrics") + comparison(report, "metrics")) == 10


def test_commands_that_wait_for_the_registry_are_counted() -> None:
    waiting = {"command_id": "never-seen", "body": {"model": "plant"}}
    commands = [Record(0, 0, 0, None, orjson.dumps(waiting))]

    assert world().verified(commands=commands).figures["commands that are not decided"] == 1
    assert "commands that are not decided" not in world().verified().figures


def test_the_report_can_be_read_by_people_and_programs() -> None:
    report = world().verified()

    assert str(report).startswith("plant: exact\n")
    assert orjson.loads(report.json())["exact"] is True
