"""What do gate, versions, promote, rollback and retrain tell a person?"""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from driftline.cli import gate as gate_command
from driftline.cli.app import app
from driftline.cli.errors import CommandError
from driftline.cli.promote import goes_on
from driftline.cli.registry_view import known_model
from driftline.cli.retrain import check_range
from driftline.cli.rollback import told
from driftline.cli.versions import said as version_said
from driftline.runtime.settings import Settings
from driftline_schemas.codec import encode, short_hash
from driftline_schemas.fields import format_time
from driftline_schemas.registry import LearningMetric
from tests.unit.core.registry.book import START, Book, gate, newer, running

LR1 = short_hash("lr", "1")
SINCE = "1970-01-01T00:00:00.000Z"
TEST_SET = {"name": "fixed.csv", "sha256": "f" * 64, "value": 0.8125, "floor": 0.8}
Told = Callable[..., str]
AT = f"at {format_time(START)}"
NUMBERS = {"mean": 0.6097560975609756, "lower": 0.4022222222, "upper": 0.8172899729, "n": 205}


def metric(challenger: str, offset: int, **numbers: float) -> LearningMetric:
    kind = "gate" if numbers else "metric"
    verdict = "continue" if numbers else None
    return LearningMetric(
        kind=kind, model="churn", pipeline=challenger, at_offset=offset, labels=offset // 2,
        metrics=numbers, verdict=verdict,
    )  # fmt: skip


def evidence(n: int, j: int = 1, **parts: float) -> dict[str, float]:
    numbers = {"mean": 0.0123456, "lower": -0.0201, "upper": 0.045, "variance": 0.1, "k": 2.0}
    return {"n": n, "j": j, **numbers, **parts}


@pytest.fixture
def told_of(monkeypatch: pytest.MonkeyPatch) -> Told:
    """The output of `driftline gate churn` over these facts and metrics."""

    def gate_of(book: Book, *metrics: LearningMetric, json: bool = False) -> str:
        monkeypatch.setattr(gate_command, "reached", lambda *_: Settings())
        monkeypatch.setattr(gate_command, "iterate_registry", lambda *_: iter(book.facts))
        raws = [encode(each) for each in metrics]
        monkeypatch.setattr(gate_command, "read_tail", lambda *_: raws)
        given = ["gate", "churn", "--json"] if json else ["gate", "churn"]
        result = CliRunner().invoke(app, given)
        assert result.exit_code == 0, result.output
        return result.stdout

    return gate_of


def test_a_promotion_is_told_in_the_words_of_the_page(told_of: Told) -> None:
    book = running()
    fact = book.accepted("gate_evaluated", gate(LR1, 1, since=SINCE, test_set=TEST_SET, **NUMBERS))
    assert told_of(book) == (
        "lr (churn/lr/v1) against sm: proven better. Gain +0.610, between +0.402 and +0.817, on"
        " 205 pairs (test 1). Accuracy 0.8125 on fixed.csv, the floor is 0.8."
        f" Promoted (fact {fact.seq} {AT}).\n"
    )


def test_a_refusal_says_why(told_of: Told) -> None:
    book = running()
    refused = book.do("gate_evaluated", gate(LR1, 7, **NUMBERS))
    line = told_of(book)
    assert "proven better. Gain +0.610" in line
    assert line.endswith(
        "Refused: it was judged against deployment 7, and deployment 1 serves now"
        f" (fact {refused.seq} {AT}).\n"
    )


def test_a_rejection_says_that_it_stays(told_of: Told) -> None:
    book = running()
    book.accepted("gate_evaluated", gate(LR1, 1, verdict="reject", mean=-0.1, lower=-0.2, upper=0))
    line = told_of(book)
    assert "not better by enough. Gain -0.100" in line
    assert "The gain is below 0.03 and it may still be no gain at all." in line
    assert "Stays a challenger" in line


def test_numbers_that_nobody_reads_and_1970_are_for_programs_alone(told_of: Told) -> None:
    book = running()
    book.accepted("gate_evaluated", gate(LR1, 1, since=SINCE, **NUMBERS))
    line = told_of(book)
    for word in ("1970", "variance", "alpha", "0.6097560975609756"):
        assert word not in line
    row = told_of(book, json=True)
    assert '"variance":0.1' in row
    assert '"mean":0.6097560975609756' in row
    assert "1970" not in row


def test_evidence_is_told_with_what_is_missing(told_of: Told) -> None:
    few = {"n": 40.0, "j": 1.0, "mean": 0.02}
    lines = told_of(running(), metric("lr", 100, **evidence(340)), metric("slow", 100, **few))
    missing = "The gain is below 0.03 and it may still be no gain at all."
    shown = "Gain +0.012, between -0.020 and +0.045, on 340 pairs (test 1)."
    after = "After 50 labels (offset 100)."
    assert lines.splitlines() == [
        f"lr against sm: undecided. {shown} {missing} {after}",
        f"slow against sm: undecided. 40 of 200 pairs so far, gain +0.020. {after}",
    ]


@pytest.mark.parametrize(
    ("found", "is_told"),
    [
        pytest.param(evidence(180), False, id="older than the fact"),
        pytest.param(evidence(205), False, id="what the fact was decided on"),
        pytest.param(evidence(230), True, id="newer, of the same test"),
        pytest.param(evidence(25, j=2), True, id="of the next test"),
    ],
)
def test_evidence_older_than_the_fact_is_not_told(
    told_of: Told, found: dict[str, float], is_told: bool
) -> None:
    book = running()
    book.accepted("gate_evaluated", gate(LR1, 1, verdict="reject", **NUMBERS))
    lines = told_of(book, metric("lr", 100, **found)).splitlines()
    assert len(lines) == 1 + is_told


def test_who_is_no_challenger_any_more_is_not_told(told_of: Told) -> None:
    gone, here = metric("gone", 100, **evidence(300)), metric("lr", 150, **evidence(300))
    lines = told_of(running(), gone, metric("gone", 100), here, metric("lr", 150)).splitlines()
    assert [line.split()[0] for line in lines] == ["lr"]


def test_a_version_says_what_made_it() -> None:
    book = running()
    origin = {"journal": [66, 90], "passes": 2, "fact": 17}
    newer(book, "lr", 2, parent=None, lineage="lr@17", origin=origin, offsets=[91, 90])
    model = book.state.models["churn"]
    line = version_said(model, model.versions[short_hash("lr", "2")])
    assert line == (
        f"churn/lr/v2  {short_hash('lr', '2')}  lineage lr@17  made by fact 17 from offsets 66..90"
        " of the journal, 2 passes  no label of the journal yet  2026-11-25T21:00:00.000Z"
    )


def test_a_promotion_says_that_newer_versions_follow() -> None:
    following = running(follow=True).state.models["churn"]
    assert goes_on(following, LR1) == (
        "newer versions of its lineage lr follow by themselves (`follow: true`): `driftline hold"
        " churn` keeps this one"
    )
    assert goes_on(running().state.models["churn"], LR1) is None


@pytest.mark.parametrize(
    ("scorers", "words"),
    [
        ({"confirmed": ["a"]}, "1 scorer confirms"),
        ({"confirmed": ["a", "b"]}, "2 scorers confirm"),
        ({"confirmed": ["a"], "pending": ["b"]}, "1 scorer confirms, 1 pending (b)"),
        ({"silent": ["b"]}, "0 scorers confirm, 1 silent (b)"),
        ({}, "no scorer is running"),
    ],
)
def test_scorers_are_counted_in_english(scorers: dict[str, list[str]], words: str) -> None:
    assert told({"confirmed": [], "pending": [], "silent": [], **scorers}) == words


def test_a_range_beyond_the_end_of_the_journal_is_refused() -> None:
    check_range("churn", [66, 8_511], end=8_512)
    with pytest.raises(CommandError, match=r"^66\.\.8512 reaches .*: its last offset is 8511\.$"):
        check_range("churn", [66, 8_512], end=8_512)
    with pytest.raises(CommandError, match="which is empty"):
        check_range("churn", [0, 0], end=0)


def test_the_release_is_told() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith("driftline ")
    assert result.stdout.count(".") == 2


def test_a_wrong_choice_is_told_without_the_words_of_a_library() -> None:
    result = CliRunner().invoke(app, ["run", "joine"])
    assert result.exit_code == 2
    assert "'joine' is not one of" in result.stderr
    assert "Value error" not in result.stderr


def test_a_misspelt_model_is_told_with_one_mark_at_the_end() -> None:
    state = running().state
    with pytest.raises(CommandError) as near:
        known_model(state, "chrun")
    assert str(near.value) == "No spec of 'chrun' is applied: did you mean 'churn'?"
    with pytest.raises(CommandError, match=r"applied: see `driftline models`\.$"):
        known_model(state, "x")
