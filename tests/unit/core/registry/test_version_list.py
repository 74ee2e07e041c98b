"""Is every version ever registered still there, and cheap to keep?"""

import tracemalloc
from hashlib import sha256
from typing import Any

import pytest

from driftline.core.fact_chain import Draft
from driftline.core.registry.state import RegistryState
from driftline.core.registry.version_list import BLOCK
from driftline_schemas.codec import encode, short_hash
from driftline_schemas.fields import format_time
from driftline_schemas.registry import ModelUpdated
from tests.unit.core.registry.book import START, Book, newer, running, spec, version

COUNT = 3 * BLOCK + 5


def digest(*parts: object) -> str:
    return sha256(repr(parts).encode()).hexdigest()


def lived_in(number: int) -> dict[str, Any]:
    """A version's body as learners write them: nothing in it can be left out."""
    bytes_ = digest("bytes", number)
    return version(
        spec()["spec_hash"], "sm", number, state_hash=digest("state", number), offsets=[7, number],
        artifact={"uri": f"file:///var/lib/versions/{bytes_}", "sha256": bytes_, "bytes": 48_213},
        environment={"python": "3.11", "river": "0.26.1", "numpy": "2.4.6", "machine": "x86_64"},
        metrics={"as_of_accuracy": number / 7_919, "as_of_accuracy_last_200": number % 200 / 200},
        created_ts=format_time(START + 60_000 * number),
    )  # fmt: skip


@pytest.fixture(scope="module")
def long_lived() -> Book:
    """`sm` and `lr` in turns, more than a block of each, the first of `sm` serving."""
    book = Book()
    book.accepted("apply_spec", spec())
    for number in range(1, COUNT + 1):
        book.accepted("model_updated", lived_in(number))
        if number % 2:
            body = version(spec()["spec_hash"], "lr", number // 2 + 1, test_set=None, origin=None)
            book.accepted("model_updated", body)
    return book


def test_each_is_found_by_its_id_and_by_its_name(long_lived: Book) -> None:
    model = long_lived.state.models["churn"]
    registered = [fact for fact in long_lived.facts if fact.action == "model_updated"]
    assert len(model.versions) == len(registered) > 4 * BLOCK
    for fact in registered:
        found = model.find(fact.body["version_id"])
        assert found is not None
        assert found == model.find(fact.body["name"]) == model.versions[found.version_id]
        assert (found.name, found.fact_seq) == (fact.body["name"], fact.seq)
        assert encode(found.recipe) == encode(ModelUpdated.model_validate(fact.body))
    assert list(model.versions) == [fact.body["version_id"] for fact in registered]
    assert model.lineage_of("lr") == "lr"


@pytest.mark.parametrize("wanted", ["sm/v0", f"sm/v{COUNT + 1}", "x/v1", "0" * 16, "", "sm"])
def test_what_was_never_registered_is_not_found(long_lived: Book, wanted: str) -> None:
    model = long_lived.state.models["churn"]
    assert model.find(wanted) is None
    assert wanted not in model.versions


@pytest.mark.parametrize("most", [1, BLOCK, 50, 10_000])
def test_the_newest_come_page_by_page_back_to_the_first(long_lived: Book, most: int) -> None:
    versions = long_lived.state.models["churn"].versions
    page = versions.newest(most)
    seen = page
    while page:
        assert len(page) <= most
        page = versions.newest(most, before=page[0].fact_seq)
        assert versions.until(seen[0].fact_seq) == len(versions) - len(seen)
        seen = page + seen
    assert [version.version_id for version in seen] == list(versions)


def test_a_version_however_old_may_be_promoted_and_brought_back(long_lived: Book) -> None:
    book = Book()
    for fact in long_lived.facts[1:]:
        book.write(Draft(f"was-{fact.seq}", fact.action, "ann", "because", fact.body))
    assert book.serving == "sm/v1"
    for name in ("sm/v2", "lr/v1", f"sm/v{COUNT}"):
        book.accepted("promote", {"model": "churn", "version": name})
        assert book.serving == name
    book.accepted("rollback", {"model": "churn", "to": short_hash("sm", "2")})
    assert book.serving == "sm/v2"
    assert "never served" in book.refused("rollback", {"model": "churn", "to": "sm/v3"})


def test_a_followed_lineage_is_taken_back_version_by_version() -> None:
    book = running(follow=True)
    for number in range(2, 2 * BLOCK):
        newer(book, "sm", number)
    promotions = book.state.models["churn"].promotions
    assert promotions.count == 2 * BLOCK - 1
    for number in range(2 * BLOCK - 2, 0, -1):
        assert promotions.earlier() == short_hash("sm", str(number))
        promotions.take_back(short_hash("sm", str(number)), "sm")
    assert promotions.earlier() is None


def test_an_old_version_costs_a_reader_some_two_hundred_bytes() -> None:
    book, count = Book(), 2_000
    book.accepted("apply_spec", spec())
    for number in range(1, count + 1):
        body = {**lived_in(number), "lineage": "sm", "number": number}
        serves = {"version_id": body["version_id"], "lineage": "sm", "deployment_seq": number}
        draft = Draft(f"c{number}", "model_updated", "learner", "r", {**body, "deployed": serves})
        book.write(draft)  # and so the caches of times are full

    state, held = RegistryState(), []
    tracemalloc.start()
    for done in (book.facts[: count // 2], book.facts[count // 2 :]):
        for fact in done:
            state.apply(fact)
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[1] - held[0] < 250 * (count // 2)
    assert state == book.state
