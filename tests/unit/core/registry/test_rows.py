"""Is it told what a version was made from, and what becomes of one that serves?"""

from typing import Any

import pytest

from driftline.core.registry.rows import beginning_said, learned_since, version_row
from driftline_schemas.codec import short_hash
from tests.unit.core.registry.book import Book, newer, running, spec

FILE, OTHER = "f" * 64, "e" * 64
SM1 = short_hash("sm", "1")


def asked(book: Book, **body: Any) -> int:
    """The fact of a retrain."""
    given = {"model": "churn", "pipeline": "lr", **body}
    return book.accepted("retrain", given).seq


def said(book: Book, origin: dict[str, Any] | None, **parts: Any) -> str | None:
    newer(book, "lr", 2, origin=origin, **parts)
    model = book.state.models["churn"]
    return beginning_said(model, model.versions[short_hash("lr", "2")])


def artifact(digest: str) -> dict[str, Any]:
    return {"uri": "file:///a", "sha256": digest, "bytes": 1}


def test_a_version_that_knew_nothing_before_the_journal_says_nothing() -> None:
    assert said(running(), None) is None


def test_a_retrain_is_told_with_its_fact_and_the_name_of_the_file() -> None:
    book = running()
    seq = asked(book, **{"from": "data/march.csv", "artifact": artifact(FILE), "passes": 3})
    origin = {"file": FILE, "label": "y", "passes": 3, "fact": seq}
    assert said(book, origin) == f"made by fact {seq} from data/march.csv, 3 passes"


def test_a_range_of_the_journal_is_told() -> None:
    book = running()
    seq = asked(book, **{"from": [66, 8_552]})
    origin = {"journal": [66, 8_552], "passes": 1, "fact": seq}
    assert said(book, origin) == f"made by fact {seq} from offsets 66..8552 of the journal"


def test_a_file_of_the_specification_is_told_by_the_name_it_has_there() -> None:
    book = running()
    body = {**book.facts[1].body, "files": {"fixed.csv": artifact(FILE)}}
    book.accepted("apply_spec", body)
    origin = {"file": FILE, "label": "y", "passes": 20}
    assert said(book, origin) == "made from fixed.csv, 20 passes"


def test_a_file_that_nobody_names_any_more_is_told_by_its_hash() -> None:
    assert said(running(), {"file": OTHER}) == f"made from a file with sha256 {OTHER}"


def test_a_fork_is_told_by_the_name_of_what_it_is_a_fork_of() -> None:
    assert said(running(), {"version": SM1}) == "a fork of churn/sm/v1"


@pytest.mark.parametrize(
    ("offsets", "words"),
    [([66, 8_552], "offsets 66..8552"), ([66, 66], "offsets 66..66"),
     ([8_553, 8_552], "no label of the journal yet")],
)  # fmt: skip
def test_a_version_without_labels_shows_no_range_that_is_none(
    offsets: list[int], words: str
) -> None:
    book = running()
    newer(book, "lr", 2, offsets=offsets)
    assert learned_since(book.state.models["churn"].versions[short_hash("lr", "2")]) == words


def test_a_row_has_the_origin_as_data_and_in_words() -> None:
    book = running()
    newer(book, "lr", 2, origin={"version": SM1})
    model = book.state.models["churn"]
    row = version_row(model, model.versions[short_hash("lr", "2")])
    assert (row["origin"], row["beginning"]) == ({"version": SM1}, "a fork of churn/sm/v1")


def is_followed(book: Book, pipeline: str) -> bool:
    model = book.state.models["churn"]
    return model.is_followed(model.versions[short_hash(pipeline, "1")])


def test_only_a_lineage_that_learns_and_is_free_goes_on_by_itself() -> None:
    assert not is_followed(running(), "lr")
    book = running()
    frozen = spec(follow=True, train={"sm": {"file": "fixed.csv", "label": "y"}})
    book.accepted("apply_spec", {**frozen, "files": {"fixed.csv": artifact(FILE)}})
    assert is_followed(book, "lr")
    assert not is_followed(book, "sm")  # frozen
    book.accepted("promote", {"model": "churn", "version": "lr/v1"})
    newer(book, "lr", 2, spec_hash=frozen["spec_hash"])
    assert book.serving == "lr/v2"  # as was said
    book.accepted("hold", {"model": "churn", "lineage": "lr"})
    assert not is_followed(book, "lr")
