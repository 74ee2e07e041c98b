"""Who may promote and roll back by the page, and what does it take?"""

from hashlib import sha256
from hmac import digest
from urllib.parse import quote, urlencode

import httpx
import pytest

from driftline.api import routes
from driftline.api.roles import ROLES, Role
from driftline.api.sessions import COOKIE
from tests.page.serving import rig_of
from tests.page.story import EVIL, Story, wire_of
from tests.unit.api.page.test_markup import read
from tests.unit.api.rig import OPERATOR, TOKENS, VIEWER, Rig

FORM = {"content-type": "application/x-www-form-urlencoded"}
OURS = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
PAGE = sorted(route for route in ROLES if not route[1].startswith("/v1/"))


def two_versions(tokens: dict[bytes, Role] | None = None, name: str = "m", **parts: object) -> Rig:
    """`a/v1` serves, `b/v1` is registered."""
    story = Story()
    wire = wire_of(name, ["x"], pipelines={"a": [], "b": []}, champion="a", **parts)
    spec = story.apply(wire, None)
    for pipeline in ("a", "b"):
        story.version(spec, pipeline, 1, 1)
    story.folds.not_ready = None
    return rig_of(story, tokens)


def address(rig: Rig, action: str = "promote", name: str = "m") -> str:
    if action == "rollback":
        return f"/rollback?{urlencode({'name': name})}"
    version = list(rig.folds.registry.models[name].versions)[1]
    return f"/promote?{urlencode({'name': name, 'version': version})}"


def fields_of(html: str) -> dict[str, str]:
    """The hidden fields of a form."""
    inputs = [dict(a) for tag, a in read(html).tags if tag == "input"]
    return {str(i["name"]): str(i["value"]) for i in inputs if i.get("type") == "hidden"}


async def post(rig: Rig, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
    given = {**FORM, **OURS, **headers}
    return await rig.ask("POST", path, content=urlencode(fields), headers=given)


async def opened(rig: Rig, path: str, **headers: str) -> dict[str, str]:
    """The form as a browser gets it, with a reason and a name typed in."""
    answer = await rig.ask("GET", path, headers=headers)
    assert answer.status_code == 200, answer.text
    return {**fields_of(answer.text), "reason": "it is better", "actor": "ann"}


async def signed_in(rig: Rig, token: str) -> dict[str, str]:
    """The header with the cookie."""
    answer = await post(rig, "/sign-in", {"token": token, "then": "/"})
    assert answer.status_code == 303
    return {"Cookie": answer.headers["set-cookie"].split(";")[0]}


async def test_a_promotion_by_the_page_becomes_a_fact_and_is_told() -> None:
    rig = two_versions()
    answer = await post(rig, address(rig), await opened(rig, address(rig)))
    assert answer.status_code == 303
    fact = rig.book.facts[-1]
    assert (fact.action, fact.actor, fact.reason) == ("promote", "page:ann", "it is better")
    told = read((await rig.ask("GET", answer.headers["location"])).text).text
    assert "m/b/v1 serves" in told
    assert "none of this model is known" in told


async def test_a_rollback_by_the_page_holds_what_it_leaves() -> None:
    rig = two_versions()
    await post(rig, address(rig), await opened(rig, address(rig)))
    path = address(rig, "rollback")
    page = (await rig.ask("GET", path)).text
    assert "a/v1 (served before)" in page
    assert page.count("<option") == 1  # a/v1 is not offered twice
    answer = await post(rig, path, {**await opened(rig, path), "to": ""})
    assert answer.status_code == 303
    assert rig.book.facts[-1].body["held"] == "b"


async def test_with_no_earlier_lineage_a_rollback_still_offers_what_served() -> None:
    rig = two_versions()
    await post(rig, address(rig), await opened(rig, address(rig)))
    path = address(rig, "rollback")
    await post(rig, path, {**await opened(rig, path), "to": ""})
    page = (await rig.ask("GET", path)).text
    assert page.count("<option") == 1
    assert "b/v1</option>" in page
    assert "served before" not in page


@pytest.mark.parametrize("follow", [True, False])
async def test_a_promotion_says_that_newer_versions_follow_by_themselves(follow: bool) -> None:
    rig = two_versions(follow=follow)
    asked = read((await rig.ask("GET", address(rig))).text).text
    answer = await post(rig, address(rig), await opened(rig, address(rig)))
    became = read((await rig.ask("GET", answer.headers["location"])).text).text
    for told in (asked, became):
        assert ("Newer versions of its lineage b follow by themselves" in told) is follow
        assert ("driftline hold m" in told) is follow


async def test_the_same_form_sent_twice_is_one_command() -> None:
    rig = two_versions()
    fields = await opened(rig, address(rig))
    answers = [await post(rig, address(rig), fields) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert len(rig.commands.commands) == 1


async def test_a_form_that_saw_another_deployment_is_refused_and_keeps_what_was_typed() -> None:
    rig = two_versions()
    late = await opened(rig, address(rig))
    await post(rig, address(rig), await opened(rig, address(rig)))
    rollback = address(rig, "rollback")
    answer = await post(rig, rollback, {**late, "reason": "<b>no", "key": "another"})
    assert answer.status_code == 409
    assert "Another version serves m by now" in answer.text
    assert "&lt;b&gt;no</textarea>" in answer.text
    assert fields_of(answer.text)["key"] != "another"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"reason": " "}, "Say why"),
        ({"reason": "x" * 1_001}, "Say why"),
        ({"actor": ""}, "Say who you are"),
        ({"key": "not a key"}, "not complete"),
        ({"expected_seq": "-1"}, "not complete"),
        ({"expected_seq": "9" * 19}, "not complete"),
    ],
)
async def test_a_form_that_lacks_something_gives_no_command(
    changed: dict[str, str], says: str
) -> None:
    rig = two_versions()
    answer = await post(rig, address(rig), {**await opened(rig, address(rig)), **changed})
    assert answer.status_code == 422
    assert says in answer.text
    assert rig.commands.commands == []


async def test_a_form_without_our_seal_gives_no_command() -> None:
    rig = two_versions()
    fields = await opened(rig, address(rig))
    for seal in ("", "0" * 64):
        answer = await post(rig, address(rig), {**fields, "seal": seal})
        assert answer.status_code == 403
        assert "too old, or not ours" in answer.text
    assert rig.commands.commands == []


async def test_a_seal_counts_for_who_got_it_only() -> None:
    rig = two_versions(TOKENS)
    one, other = await signed_in(rig, OPERATOR), await signed_in(rig, OPERATOR)
    fields = await opened(rig, address(rig), **one)
    for another in (other, await signed_in(rig, VIEWER)):
        seal = fields_of((await rig.ask("GET", "/", headers=another)).text)["seal"]
        answer = await post(rig, address(rig), {**fields, "seal": seal}, **one)
        assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"content-type": "text/plain"},
        {"content-type": "application/json"},
        {"content-type": "multipart/form-data; boundary=x"},
    ],
)
async def test_other_sites_forms_give_no_command(headers: dict[str, str]) -> None:
    rig = two_versions()
    answer = await post(rig, address(rig), await opened(rig, address(rig)), **headers)
    assert answer.status_code in (403, 415)
    assert rig.commands.commands == []


async def test_a_command_that_nobody_decides_is_said_to_be_on_its_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(routes, "WAIT_SECONDS", 0.05)
    rig = two_versions()
    rig.owned = False
    answer = await post(rig, address(rig), await opened(rig, address(rig)))
    look = await rig.ask("GET", answer.headers["location"])
    assert (answer.status_code, look.status_code) == (303, 200)
    assert "has not decided yet" in look.text
    rig.book.now += 60_000
    rig.book.bring(rig.commands.commands[0])
    rig.feed()
    late = read((await rig.ask("GET", answer.headers["location"])).text).text
    assert "Refused: " in late
    assert "serves." not in late


async def test_evil_names_promote_as_any_other() -> None:
    rig = two_versions(name=EVIL)
    path = address(rig, name=EVIL)
    answer = await post(rig, path, {**await opened(rig, path), "reason": EVIL, "actor": EVIL})
    told = await rig.ask("GET", answer.headers["location"])
    assert told.status_code == 200
    assert EVIL not in told.text
    assert rig.book.facts[-1].reason == EVIL


async def test_what_is_not_there_cannot_be_promoted() -> None:
    rig = two_versions()
    for path in (
        "/promote?name=m&version=c/v1",
        "/promote?name=x&version=a/v1",
        "/rollback?name=x",
    ):
        assert (await rig.ask("GET", path)).status_code == 404
        assert (await post(rig, path, await opened(rig, address(rig)))).status_code == 404


async def test_nothing_to_roll_back_to_is_said() -> None:
    rig = two_versions()
    answer = await rig.ask("GET", address(rig, "rollback"))
    assert "Nothing served this model before." in answer.text


# Signing in.


@pytest.mark.parametrize(("method", "path"), PAGE)
@pytest.mark.parametrize("token", [None, VIEWER, OPERATOR])
async def test_every_page_asks_for_its_role(method: str, path: str, token: str | None) -> None:
    rig = two_versions(TOKENS)
    cookie = await signed_in(rig, token) if token else {}
    known = {VIEWER: Role.viewer, OPERATOR: Role.operator, None: Role.anyone}[token]
    asked = path.replace("{name}", "page.css")
    answer = await rig.ask(method, asked, headers={**FORM, **OURS, **cookie}, content=b"")
    if known >= ROLES[method, path]:
        assert answer.status_code in (200, 303, 401, 403, 404, 422)
        assert "Your token does not allow this." not in answer.text
    elif token is None:
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/sign-in?then={quote(asked, safe='')}"
    else:
        assert answer.status_code == 403
        assert "Your token does not allow this." in answer.text


async def test_signing_in_leads_to_where_one_wanted_to_go() -> None:
    rig = two_versions(TOKENS)
    turned = await rig.ask("GET", "/model?name=a%26b")
    door = await rig.ask("GET", turned.headers["location"])
    assert door.status_code == 200
    fields = {**fields_of(door.text), "token": VIEWER}
    answer = await post(rig, "/sign-in", fields)
    assert answer.headers["location"] == "/model?name=a%26b"


@pytest.mark.parametrize(
    "then", ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\r\nX: y", "\t/"]
)
async def test_signing_in_never_leads_elsewhere(then: str) -> None:
    rig = two_versions(TOKENS)
    answer = await post(rig, "/sign-in", {"token": VIEWER, "then": then})
    assert answer.headers["location"] == "/"


async def test_the_cookie_is_not_the_token_and_scripts_cannot_read_it() -> None:
    rig = two_versions(TOKENS)
    answer = await post(rig, "/sign-in", {"token": OPERATOR, "then": "/"})
    cookie = answer.headers["set-cookie"]
    assert OPERATOR not in cookie
    assert {"httponly", "samesite=lax", "path=/"} <= {p.strip().lower() for p in cookie.split(";")}


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_who_came_by_https_sends_the_cookie_by_https_only(scheme: str) -> None:
    rig = two_versions(TOKENS)  # a proxy ends TLS: the request itself comes by http
    origin = {"Host": "driftline.example", "Origin": f"{scheme}://driftline.example"}
    answer = await post(rig, "/sign-in", {"token": OPERATOR, "then": "/"}, **origin)
    assert answer.status_code == 303
    parts = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")}
    assert ("secure" in parts) is (scheme == "https")


async def test_a_wrong_token_is_told_so_and_not_repeated() -> None:
    rig = two_versions(TOKENS)
    answer = await post(rig, "/sign-in", {"token": "wrong-0123456789", "then": "/"})
    assert answer.status_code == 401
    assert "not one of the API&#x27;s" in answer.text or "not one of the API's" in answer.text
    assert "wrong-0123456789" not in answer.text
    assert "set-cookie" not in answer.headers


async def test_the_cookie_is_worth_nothing_to_programs() -> None:
    rig = two_versions(TOKENS)
    cookie = await signed_in(rig, OPERATOR)
    assert (await rig.ask("GET", "/v1/models", headers=cookie)).status_code == 401


async def test_viewers_are_offered_no_decisions_and_operators_are() -> None:
    rig = two_versions(TOKENS)
    for token, offered in ((VIEWER, False), (OPERATOR, True)):
        cookie = await signed_in(rig, token)
        html = (await rig.ask("GET", "/versions?name=m", headers=cookie)).text
        assert ("Promote …" in html) is offered
        assert "Sign out" in html


async def test_what_an_operator_looked_at_offers_a_viewer_no_decisions() -> None:
    rig = two_versions(TOKENS)
    operator = await signed_in(rig, OPERATOR)
    await post(rig, address(rig), await opened(rig, address(rig), **operator), **operator)
    for token, offered in ((OPERATOR, True), (VIEWER, False), (OPERATOR, True)):
        cookie = await signed_in(rig, token)
        html = (await rig.ask("GET", "/model?name=m", headers=cookie)).text
        assert ("Roll back …" in html) is offered
        assert (await post(rig, "/sign-out", fields_of(html), **cookie)).status_code == 303


async def test_signing_out_needs_our_own_form() -> None:
    rig = two_versions(TOKENS)
    cookie = await signed_in(rig, VIEWER)
    assert (await post(rig, "/sign-out", {}, **cookie)).status_code == 403
    seal = fields_of((await rig.ask("GET", "/", headers=cookie)).text)
    answer = await post(rig, "/sign-out", seal, **cookie)
    assert answer.status_code == 303
    assert f'{COOKIE}=""' in answer.headers["set-cookie"]


async def test_what_was_signed_out_opens_nothing_any_more() -> None:
    rig = two_versions(TOKENS)
    left, kept = await signed_in(rig, OPERATOR), await signed_in(rig, OPERATOR)
    for _ in range(2):  # the second time there is nothing to end
        seal = fields_of((await rig.ask("GET", "/", headers=left)).text)
        assert (await post(rig, "/sign-out", seal, **left)).status_code == 303
    assert (await rig.ask("GET", "/", headers=left)).status_code == 303
    answer = await post(rig, address(rig), {}, **left)
    assert answer.headers["location"].startswith("/sign-in")
    assert (await rig.ask("GET", "/", headers=kept)).status_code == 200


async def test_who_has_a_viewer_s_token_makes_no_operator_s_cookie() -> None:
    viewers = {VIEWER.encode(): Role.viewer}
    key = sha256(b"driftline-page\0" + VIEWER.encode()).digest()  # all that he can know
    for tokens in (viewers, TOKENS):
        rig = two_versions(tokens)
        mine = (await signed_in(rig, VIEWER))["Cookie"].removeprefix(f"{COOKIE}=")
        said = mine.rpartition(".")[0].replace("viewer", "operator")
        forged = f"{said}.{digest(key, f'session|{said}'.encode(), 'sha256').hex()}"
        seal = digest(key, f"form|{forged}".encode(), "sha256").hex()
        fields = {"seal": seal, "key": "k", "expected_seq": "2", "reason": "r", "actor": "a"}
        answer = await post(rig, address(rig), fields, Cookie=f"{COOKIE}={forged}")
        assert answer.headers["location"].startswith("/sign-in")
        assert rig.commands.commands == []


async def test_without_tokens_nobody_signs_in() -> None:
    rig = two_versions()
    assert (await rig.ask("GET", "/sign-in")).headers["location"] == "/"
    assert "Sign out" not in (await rig.ask("GET", "/")).text


async def test_programs_may_look_at_the_page_with_their_token() -> None:
    rig = two_versions(TOKENS)
    answer = await rig.ask("GET", "/", headers={"Authorization": f"Bearer {VIEWER}"})
    assert answer.status_code == 200
