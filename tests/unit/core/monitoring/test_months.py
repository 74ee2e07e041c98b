"""A month's sums, and which of its versions is named."""

from collections import Counter

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.core.monitoring.months import VERSIONS_KEPT, Month

AT = 1_790_000_000_000


def restored(month: Month) -> Month:
    return Month.restore(orjson.loads(orjson.dumps(month.snapshot())))


@given(
    st.lists(st.tuples(st.integers(0, VERSIONS_KEPT - 1), st.integers(0, 9)), min_size=1),
    st.sets(st.integers(0, 99), max_size=3),
)
def test_of_few_versions_it_names_the_one_with_the_most_predictions(
    found: list[tuple[int, int]], restarts: set[int]
) -> None:
    month, predictions, labels = Month(), Counter[str](), Counter[str]()
    for i, (version, n) in enumerate(found):
        name = f"v{version}"
        if n:
            month.predicted(name, n, AT)
            predictions[name] += n
        else:
            month.labelled(name, "yes", "yes", AT)
            labels[name] += 1
        month = restored(month) if i in restarts else month
    first = min(predictions | labels, key=lambda v: (-predictions[v], -labels[v], v))
    assert month.main_version == first
    assert month.sums.predicted == predictions.total()
    assert month.sums.labelled == labels.total()


def full() -> Month:
    """A month of many versions that predicted one after another, the third of them most."""
    month = Month()
    for number in range(3 * VERSIONS_KEPT):
        month.predicted(f"v{number}", 60 if number == 2 else 50, AT)
    return month


def test_late_labels_of_versions_that_were_let_go_count_and_take_no_place() -> None:
    month = full()
    before = month.snapshot()[1].keys()
    for number in range(3, VERSIONS_KEPT):
        month.labelled(f"v{number}", "yes", "no", AT + 1)
    assert month.snapshot()[1].keys() == before
    assert month.sums.wrong == month.sums.labelled == VERSIONS_KEPT - 3
    assert month.sums.changed_at == AT + 1


def test_a_version_that_goes_on_predicting_can_become_the_one_that_is_named() -> None:
    month = full()
    for number in range(30):
        month.predicted("steady", 3, AT)
        month.predicted(f"other-{number}", 1, AT)
    assert month.main_version == "steady"


@pytest.mark.parametrize(
    ("version", "is_known"),
    [("v2", True), ("v191", False), ("v9", True)],
    ids=["kept and labelled", "kept without a label", "let go"],
)
def test_a_correction_counts_if_what_it_corrects_may_be_there(version: str, is_known: bool) -> None:
    month = full()
    month.labelled("v2", "yes", "yes", AT)
    assert month.corrected(version, "yes", ("yes", "no"), AT) is is_known
    assert (month.sums.corrections, month.sums.wrong) == (int(is_known), int(is_known))


def test_a_month_without_labels_knows_nothing_to_correct() -> None:
    assert not full().corrected("v9", "yes", ("yes", "no"), AT)
