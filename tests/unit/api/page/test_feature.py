"""With what is the distribution of a feature drawn together?"""

import re

import orjson
import pytest

from driftline.api.folds import Folds
from driftline.api.history import Decisions
from driftline.api.page.feature import feature_page
from driftline_schemas.verdicts import Result, Verdict, Window

BINS = {
    "bins_id": "0123456789abcdef",
    "effective_from": "2026-11-25T21:00:00.000Z",
    "features": {"x": {"kind": "numeric", "edges": [1.0, 2.0], "reference": [60, 30, 10, 0, 0]}},
    "n": 100,
}


def page_of(counts: list[int] | None, reference: list[int] | None) -> str:
    """The page on x, whose newest verdict says this."""
    result = Result(scope="x", statistic="rank_z", value=1.0, p_value=0.5, effect=0.1,
                    threshold=0.01, outcome="ok", reason="r", counts=counts,
                    reference=reference)  # fmt: skip
    folds = Folds()
    folds.history.decisions["m"] = Decisions(bins=orjson.dumps(BINS))
    folds.history.verdict(
        Verdict(
            verdict_id="0" * 16,
            revision=1,
            model="m",
            model_version="v",
            check="data",
            target=200,
            window=Window(start=0, end=1, n=200),
            outcome="ok",
            results=[result],
            at=1,
        )
    )
    page = feature_page(folds, "m", "x", None)
    assert page is not None
    return str(page.body)


def table_rows(html: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", html.partition("Counts by bin")[2], re.DOTALL)
    return [re.findall(r"<t[dh][^>]*>([^<]*)<", row) for row in rows]


@pytest.mark.parametrize(
    ("own", "reference", "is_said"),
    [
        pytest.param(None, ["60", "30", "10"], False, id="the specification's"),
        pytest.param([0, 50, 150, 0, 0], ["0", "50", "150"], True, id="what took its place"),
        pytest.param([1, 2], ["60", "30", "10"], False, id="of other bins"),
    ],
)
def test_the_reference_is_the_one_that_the_window_was_compared_with(
    own: list[int] | None, reference: list[str], is_said: bool
) -> None:
    html = page_of([100, 60, 40, 0, 0], own)
    assert [row[1] for row in table_rows(html)[1:4]] == reference
    assert ("no longer that of the specification" in html) == is_said
