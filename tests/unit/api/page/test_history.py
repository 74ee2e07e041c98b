"""Is what the charts need kept, in its newest revision, and no more?"""

from typing import Any

from driftline.api.folds import (
    ALERTS_KEPT,
    METRICS_PER_MODEL,
    RESULTS_PER_MODEL,
    Folds,
    NewestVerdicts,
)
from driftline.api.history import (
    CHALLENGERS,
    DATA_WINDOWS,
    GATE_POINTS,
    MODELS,
    REVISIONS,
    WINDOWS,
    History,
)
from driftline_schemas.alerts import Alert
from driftline_schemas.codec import encode
from driftline_schemas.registry import LearningMetric
from driftline_schemas.topics import LEARNING_METRICS, SCORER_STATUS
from driftline_schemas.verdicts import Result, Verdict, Window, verdict_id
from tests.page.story import Story, wire_of


def verdict(
    place: int, check: str = "performance", revision: int = 1, model: str = "m", value: float = 0.5,
    results: int = 1,
) -> Verdict:  # fmt: skip
    result = Result(scope="accuracy", statistic="accuracy", value=value, effect=value, outcome="ok",
                    reason="r")  # fmt: skip
    return Verdict(
        verdict_id=verdict_id(model, check, 200, place, place + 1), revision=revision, model=model,
        model_version="v", check=check, target=200, window=Window(start=place, end=place + 1, n=9),
        outcome="ok", results=[result] * results, coverage=0.5, at=place,
    )  # fmt: skip


def gate(number: int, pipeline: str = "p") -> LearningMetric:
    return LearningMetric(kind="gate", model="m", pipeline=pipeline, at_offset=number,
                          labels=number, metrics={"n": number, "mean": 0.1, "j": 1},
                          verdict="continue")  # fmt: skip


def test_a_late_label_changes_its_window_and_an_older_revision_does_not() -> None:
    history = History()
    for revision, value in ((1, 0.5), (3, 0.7), (2, 0.6)):
        history.verdict(verdict(0, revision=revision, value=value))
    (window,) = history.of("m").scored["200"].values()
    assert (window.value, window.revision) == (0.7, 3)


def test_histories_are_bounded() -> None:
    history = History()
    for place in range(WINDOWS + 9):
        history.verdict(verdict(place))
        history.verdict(verdict(place, "data"))
        history.metric(gate(place))
        history.metric(gate(place, f"other{place}"))
    found = history.of("m")
    assert len(found.scored["200"]) == WINDOWS
    assert len(found.compared["200"]) == DATA_WINDOWS
    assert found.newest["200"].window.start == WINDOWS + 8
    assert len(found.gates) == CHALLENGERS
    assert max(map(len, found.gates.values())) <= GATE_POINTS
    for number in range(MODELS + 3):
        history.verdict(verdict(0, model=f"m{number}"))
    assert len(history.findings) == MODELS
    assert "m" not in history.findings


def test_an_alert_keeps_its_first_and_its_newest_revisions() -> None:
    story = Story()
    revisions: list[Any] = [
        (n, "firing" if n == 1 else "worse", f"s{n}", {}) for n in range(1, REVISIONS + 9)
    ]
    name = story.alert("m", "data", 1, revisions)
    known = story.folds.history.revisions[name]
    assert (len(known), known[-1].summary) == (REVISIONS, f"s{REVISIONS + 8}")
    assert story.folds.history.first[name].summary == "s1"
    again: Alert = story.folds.alerts[name]
    story.folds.history.alert(again)
    assert len(known) == REVISIONS
    assert known[-2].revision == REVISIONS + 7


def test_a_refusal_is_a_deed_and_deploys_nothing() -> None:
    story = Story()
    spec = story.apply(wire_of("m", ["x"], pipelines={"a": []}, champion="a"), None)
    story.version(spec, "a", 1, 1)
    story.book.refused("promote", {"model": "m", "version": "a/v9"})
    story.book.refused("promote", {"model": "unknown", "version": "a/v9"})
    for fact in story.book.facts[-2:]:
        story.folds.history.fact(fact)
    decided = story.folds.history.decided("m")
    assert [fact.outcome for fact in decided.deeds] == ["accepted", "refused"]
    assert len(decided.deployments) == 1
    assert "unknown" not in story.folds.history.decisions


def test_what_a_learner_says_again_is_no_news() -> None:
    """One that was killed says the last seconds again."""
    folds = Folds()
    for number in (200, 225, 250, 225, 250):
        folds.take(LEARNING_METRICS, encode(gate(number)))
    assert [point.n for point in folds.history.of("m").gates["p"]] == [200, 225, 250]
    assert [metric.at_offset for metric in folds.learned("m")] == [250]


def test_a_word_at_the_offset_of_the_last_one_replaces_it() -> None:
    folds = Folds()
    for reason in (None, "its state is too large"):
        said = gate(200).model_copy(update={"kind": "metric", "reason": reason})
        folds.take(LEARNING_METRICS, encode(said))
    assert [metric.reason for metric in folds.learned("m")] == ["its state is too large"]


def test_what_learners_said_is_kept_by_model_and_bounded() -> None:
    folds = Folds()
    for number in range(METRICS_PER_MODEL + 3):
        folds.take(LEARNING_METRICS, encode(gate(1, f"p{number}")))
    assert len(folds.learned("m")) == METRICS_PER_MODEL
    assert folds.learned("m")[-1].pipeline == f"p{METRICS_PER_MODEL + 2}"
    for number in range(MODELS):
        folds.take(LEARNING_METRICS, encode(gate(1).model_copy(update={"model": f"m{number}"})))
    assert folds.learned("m") == []
    assert len(folds.metrics) == MODELS


def test_an_open_alert_outlives_a_thousand_that_are_over_and_keeps_its_history() -> None:
    story = Story()
    name = story.alert("m", "data", 1, [(1, "firing", "first", {})])
    for number in range(ALERTS_KEPT):
        story.alert(f"m{number}", "data", number, [(1, "firing", "s", {}), (2, "resolved", "", {})])
    assert story.folds.alerts[name].status == "firing"
    story.alert("m", "data", 1, [(2, "worse", "second", {"revision": 2})])
    history = story.folds.history
    assert history.first[name].summary == "first"
    assert [each.summary for each in history.revisions[name]] == ["first", "second"]
    known = set(story.folds.alerts)
    assert len(known) == ALERTS_KEPT
    assert known == set(history.revisions) == set(history.first)


def test_of_too_many_open_alerts_the_one_that_spoke_longest_ago_goes() -> None:
    story = Story()
    names = [
        story.alert(f"m{number}", "data", number, [(1, "firing", "s", {})])
        for number in range(ALERTS_KEPT)
    ]
    story.alert("m0", "data", 0, [(2, "worse", "s", {"revision": 2})])
    story.alert("m", "data", 1, [(1, "firing", "s", {})])
    assert [name for name in names if name not in story.folds.alerts] == [names[1]]


def test_a_gate_without_a_mean_is_no_point() -> None:
    history = History()
    history.metric(gate(1).model_copy(update={"metrics": {}}))
    assert not history.of("m").gates


def test_verdicts_of_a_wide_model_are_fewer() -> None:
    kept = NewestVerdicts()
    for place in range(30):
        kept.take(verdict(place, results=1_000))
    assert len(list(kept.values())) == RESULTS_PER_MODEL // 1_000
    kept.take(verdict(99, results=RESULTS_PER_MODEL + 1))
    assert len(list(kept.values())) == 1


def test_a_scorer_that_says_the_same_again_changes_nothing() -> None:
    story = Story()
    folds: Folds = story.folds
    story.serves("s", m="a")
    before = folds.changes
    story.serves("s", m="a")
    assert folds.changes == before
    story.serves("s", m="b")
    assert folds.changes == before + 1
    folds.take(SCORER_STATUS, encode(next(iter(folds.scorers.values()))))
    assert folds.changes == before + 1
