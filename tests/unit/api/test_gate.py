"""Who is turned away, and does every route say who may use it?"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from driftline.api import gatekeeper
from driftline.api.gatekeeper import MAX_BODY_BYTES, MAX_STRANGERS_BYTES
from driftline.api.roles import ROLES, Role
from driftline.api.settings import ApiSettings
from driftline.runtime.errors import DriftlineError
from driftline.runtime.http_settings import check
from driftline_schemas.registry import RegistryCommand
from tests.unit.api.rig import OPERATOR, TOKENS, VIEWER, Rig
from tests.unit.core.registry.book import running
from tests.waiting import eventually

EVERY = sorted(each for each in ROLES if each[1].startswith("/v1/"))  # the page: tests/page
JSON = {"content-type": "application/json"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def concrete(path: str) -> str:
    return path.replace("{model:path}", "churn").replace("{command_id}", "c1")


def all_routes(found: list[BaseRoute]) -> Iterator[APIRoute]:
    """FastAPI keeps the routes of an included router in a node of their own."""
    for route in found:
        if isinstance(route, APIRoute):
            yield route
        else:
            original = getattr(route, "original_router", None)
            assert original is not None, f"what is {route!r}?"
            yield from all_routes(original.routes)


def test_the_table_of_roles_names_every_route_and_no_other() -> None:
    app = Rig(running()).app
    found = {
        (method, route.path) for route in all_routes(app.routes) for method in route.methods or ()
    }
    assert found == set(ROLES)


def test_whatever_changes_something_needs_an_operator() -> None:
    doors = {("POST", "/sign-in"), ("POST", "/sign-out")}
    changing = {route for route in ROLES if route[0] != "GET"} - doors
    assert {ROLES[route] for route in changing} == {Role.operator}


async def test_a_route_that_the_table_lacks_answers_nobody() -> None:
    rig = Rig(running())
    app: FastAPI = rig.app

    @app.get("/v1/hidden")
    async def hidden() -> str:
        return "secret"

    answer = await rig.ask("GET", "/v1/hidden")
    assert (answer.status_code, "secret" in answer.text) == (403, False)


@pytest.mark.parametrize(("method", "path"), EVERY)
@pytest.mark.parametrize("token", [None, "wrong-0123456789ab", VIEWER, OPERATOR])
async def test_every_route_asks_for_its_role(method: str, path: str, token: str | None) -> None:
    rig = Rig(running(), tokens=TOKENS)
    headers = bearer(token) if token else {}
    answer = await rig.ask(method, concrete(path), headers={**headers, **JSON}, content=b"{}")
    known = {VIEWER: Role.viewer, OPERATOR: Role.operator}.get(token or "")
    if known is None:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    elif known < ROLES[method, path]:
        assert answer.status_code == 403
    else:
        assert answer.status_code in (200, 422)
    if answer.status_code != 200:
        assert set(answer.json()) == {"error"}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="another site's page"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="a neighbour's page"),
        pytest.param({"Origin": "http://evil.example"}, id="a foreign origin"),
        pytest.param({"Origin": "http://localhost:81"}, id="another port"),
        pytest.param({"Origin": "null"}, id="a page without an origin"),
        pytest.param({"Origin": "http://["}, id="an origin that is none"),
    ],
)
async def test_other_sites_pages_give_no_commands(headers: dict[str, str]) -> None:
    rig = Rig(running())
    answer = await rig.give("hold", {"model": "churn"}, headers=headers)
    assert answer.status_code == 403
    assert rig.commands.commands == []


async def test_our_own_page_gives_commands() -> None:
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert (await Rig(running()).give("hold", {"model": "churn"}, headers=headers)).is_success


async def test_a_form_gives_no_commands() -> None:
    answer = await Rig(running()).ask(
        "POST", "/v1/commands", content="a=b", headers={"content-type": "text/plain"}
    )
    assert answer.status_code == 415


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "10.0.0.1"])
async def test_without_a_token_foreign_names_for_this_machine_are_not_answered(host: str) -> None:
    answer = await Rig(running()).ask("GET", "/v1/models", headers={"Host": host})
    assert answer.status_code == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:8080"])
async def test_this_machine_s_own_names_are_answered(host: str) -> None:
    assert (await Rig(running()).ask("GET", "/v1/models", headers={"Host": host})).is_success


async def test_with_a_token_any_name_is_answered() -> None:
    headers = {"Host": "driftline.example", **bearer(VIEWER)}
    assert (
        await Rig(running(), tokens=TOKENS).ask("GET", "/v1/models", headers=headers)
    ).is_success


async def test_a_body_that_is_too_large_is_refused_said_or_not() -> None:
    rig = Rig(running())
    large = b"x" * (MAX_BODY_BYTES + 1)
    said = await rig.ask("POST", "/v1/commands", content=large, headers=JSON)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield large[:100_000]

    unsaid = await rig.ask("POST", "/v1/commands", content=chunks(), headers=JSON)
    assert (said.status_code, unsaid.status_code) == (413, 413)


async def test_a_stranger_s_body_may_only_be_as_large_as_signing_in_takes() -> None:
    rig = Rig(running(), tokens=TOKENS)
    form = {"content-type": "application/x-www-form-urlencoded"}
    content = b"token=" + b"x" * MAX_STRANGERS_BYTES
    assert (await rig.ask("POST", "/sign-in", content=content, headers=form)).status_code == 413
    small = await rig.ask("POST", "/sign-in", content=content[:100], headers=form)
    assert small.status_code not in (413, 503)


async def test_a_crowd_is_turned_away_and_those_who_only_send_are_no_crowd(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gatekeeper, "MOST_REQUESTS", 1)
    rig = Rig(running())
    decided, sent, begun = asyncio.Event(), asyncio.Event(), []

    async def slowly(_: RegistryCommand) -> None:
        begun.append("to decide")
        await decided.wait()

    async def chunks() -> AsyncIterator[bytes]:
        begun.append("to send")
        await sent.wait()
        yield b"{}"

    sending = asyncio.create_task(rig.ask("POST", "/v1/commands", content=chunks(), headers=JSON))
    await eventually(lambda: begun == ["to send"])
    monkeypatch.setattr(rig.commands, "append", slowly)
    deciding = asyncio.create_task(rig.give("hold", {"model": "churn"}))
    await eventually(lambda: begun == ["to send", "to decide"])
    crowd = await rig.ask("GET", "/v1/models")
    assert (crowd.status_code, crowd.json()) == (503, {"error": "1 requests are running already."})
    deciding.cancel()
    sent.set()
    await asyncio.wait({deciding, sending})
    assert (await rig.ask("GET", "/v1/models")).is_success


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"action":"hold"}', b"\xff", b"[" * 5_000])
async def test_a_body_that_is_no_command_is_one_sentence(content: bytes) -> None:
    headers = {**JSON, "Idempotency-Key": "k"}
    answer = await Rig(running()).ask("POST", "/v1/commands", content=content, headers=headers)
    assert answer.status_code in (400, 422)
    assert set(answer.json()) == {"error"}
    assert "Traceback" not in answer.text


async def test_a_fault_of_ours_shows_nothing_of_itself() -> None:
    rig = Rig(running())

    def broken(_: RegistryCommand) -> None:
        raise ZeroDivisionError("a secret")

    rig.commands.decide = broken
    answer = await rig.give("hold", {"model": "churn"})
    assert answer.status_code == 500
    assert answer.json() == {"error": "An unexpected error; the log of the API says more."}


async def test_answers_carry_the_headers_that_browsers_obey() -> None:
    answer = await Rig(running()).ask("GET", "/v1/models")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"host": "0.0.0.0"}, "others reach it"),
        ({"host": "::"}, "others reach it"),
        ({"host": "example.org"}, "others reach it"),
        ({"host": "0.0.0.0", "viewer_token": VIEWER}, "others reach it"),
        ({"token": "short"}, "at least 16 characters"),
    ],
)
def test_it_refuses_to_start_open_to_others(given: dict[str, str], says: str) -> None:
    with pytest.raises(DriftlineError, match=says):
        check(ApiSettings.model_validate(given))


@pytest.mark.parametrize(
    "given", [{}, {"host": "::1"}, {"host": "localhost"}, {"host": "0.0.0.0", "token": OPERATOR}]
)
def test_it_starts_on_loopback_or_with_a_token(given: dict[str, str]) -> None:
    check(ApiSettings.model_validate(given))


def test_a_token_may_lie_in_a_file(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text(f"{OPERATOR}\n")
    monkeypatch.setenv("DRIFTLINE_API_TOKEN_FILE", str(tmp_path / "token"))
    settings = ApiSettings()
    assert settings.token is not None
    assert settings.token.get_secret_value() == OPERATOR
    assert OPERATOR not in repr(settings)
