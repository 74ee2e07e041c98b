"""Are long lists told page by page, and nothing left out?"""

import httpx

from driftline.api.routes import MOST
from tests.unit.api.rig import Rig
from tests.unit.core.registry.book import Book, newer, running, spec


def next_of(answer: httpx.Response) -> str | None:
    """Where the next page is."""
    return answer.links["next"]["url"] if "next" in answer.links else None


async def test_ten_thousand_models_come_in_pages_by_name() -> None:
    rig = Rig(Book())
    book = Book()
    book.accepted("apply_spec", spec("a model"))
    (one,) = book.state.models.values()
    names = [f"m/{number:05} & more" for number in range(10_000)]
    rig.folds.registry.models = dict.fromkeys(reversed(names), one)
    answer = await rig.ask("GET", "/v1/models")
    assert len(answer.json()) == MOST
    pages, path = list[str](), "/v1/models?limit=700"
    while path:
        answer = await rig.ask("GET", path)
        assert (answer.status_code, len(answer.json())) == (200, 700 if next_of(answer) else 200)
        pages.append(path)
        path = next_of(answer) or ""
    assert len(pages) == 15
    assert pages[1] == "/v1/models?limit=700&after=m%2F00699+%26+more"


async def test_every_model_is_on_one_page() -> None:
    book = Book()
    for name in ("c", "a", "b/1", "b"):
        book.accepted("apply_spec", spec(name))
    rig, seen, path = Rig(book), list[str](), "/v1/models?limit=2"
    while path:
        answer = await rig.ask("GET", path)
        seen += [row["model"] for row in answer.json()]
        path = next_of(answer) or ""
    assert seen == ["a", "b", "b/1", "c"]
    assert next_of(await rig.ask("GET", "/v1/models")) is None
    assert (await rig.ask("GET", "/v1/models?after=c")).json() == []
    assert (await rig.ask("GET", "/v1/models?limit=0")).status_code == 422


async def test_versions_go_back_page_by_page_to_the_first() -> None:
    book = running()
    for number in range(2, 80):
        newer(book, "lr", number)
    rig, seen, path = Rig(book), list[str](), "/v1/models/churn/versions?limit=30"
    while path:
        answer = await rig.ask("GET", path)
        seen = [row["name"] for row in answer.json()] + seen
        path = next_of(answer) or ""
    assert seen == ["churn/sm/v1", *(f"churn/lr/v{number}" for number in range(1, 80))]
    assert next_of(await rig.ask("GET", "/v1/models/churn/versions")) is None


async def test_the_limits_are_said_where_they_are() -> None:
    paths = (await Rig(running()).ask("GET", "/v1/openapi.json")).json()["paths"]
    for path in ("/v1/models", "/v1/models/{model}/versions"):
        told = paths[path]["get"]
        assert "Link" in told["responses"]["200"]["headers"]
        assert told["responses"]["200"]["content"]["application/json"]["schema"]["type"] == "array"
    assert "newest 10,000 records of each partition" in paths["/v1/alerts"]["get"]["description"]
    assert "1,000" in paths["/v1/models/{model}/verdicts"]["get"]["description"]
