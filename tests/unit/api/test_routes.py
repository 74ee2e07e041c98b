"""Do the answers say what the registry decided?"""

from typing import Any

import pytest

from driftline.api import routes
from driftline.api.folds import ALERTS_KEPT, VERDICTS_PER_MODEL
from driftline.core.fact_chain import Draft, seal
from driftline.runtime.command_log import CommandUnfitError, written
from driftline_schemas.alerts import Alert
from driftline_schemas.codec import encode
from driftline_schemas.fields import format_time
from driftline_schemas.registry import LearningMetric, RegistryCommand, ScorerStatus
from driftline_schemas.topics import ALERTS, LEARNING_METRICS, REGISTRY, SCORER_STATUS, VERDICTS
from driftline_schemas.verdicts import Verdict
from tests.unit.api.rig import Rig
from tests.unit.core.registry.book import START, Book, gate, newer, running, spec

SERVES_LR = {"model": "churn", "version": "lr/v1"}


async def test_models_versions_and_deployment_are_told() -> None:
    book = running()
    newer(book, "lr", 2)
    rig = Rig(book)
    (model,) = (await rig.ask("GET", "/v1/models")).json()
    assert (model["model"], model["serving"], model["versions"]) == ("churn", "churn/sm/v1", 3)
    versions = (await rig.ask("GET", "/v1/models/churn/versions?limit=2")).json()
    assert [version["name"] for version in versions] == ["churn/lr/v1", "churn/lr/v2"]
    deployment = (await rig.ask("GET", "/v1/models/churn/deployment")).json()
    assert (deployment["name"], deployment["deployment_seq"]) == ("churn/sm/v1", 1)
    for labels in (25, 50):
        metric = LearningMetric(kind="gate", model="churn", pipeline="lr", at_offset=1,
                                labels=labels, metrics={"n": 3.0})  # fmt: skip
        rig.folds.take(LEARNING_METRICS, encode(metric))
    whole = (await rig.ask("GET", "/v1/models/churn")).json()
    assert whole["spec"]["champion"] == "sm"
    assert [metric["labels"] for metric in whole["metrics"]] == [50]


async def test_a_model_may_have_a_slash_in_its_name() -> None:
    book = Book()
    book.accepted("apply_spec", spec("credit/eu"))
    rig = Rig(book)
    for name in ("credit/eu", "credit%2Feu"):
        assert (await rig.ask("GET", f"/v1/models/{name}")).json()["model"] == "credit/eu"
        assert (await rig.ask("GET", f"/v1/models/{name}/versions")).json() == []


@pytest.mark.parametrize(
    "path", ["/v1/models/x", "/v1/models/x/deployment", "/v1/commands/x", "/v1/none"]
)
async def test_what_is_not_there_is_one_sentence(path: str) -> None:
    answer = await Rig(running()).ask("GET", path)
    assert answer.status_code == 404
    assert set(answer.json()) == {"error"}


async def test_an_accepted_command_is_200_and_comes_again_with_the_same_answer() -> None:
    rig = Rig(running())
    first = await rig.give("promote", SERVES_LR)
    assert first.status_code == 200
    assert first.json()["actor"] == "api:ann"
    assert rig.commands.commands[0].not_after == START + 10_000
    again = await rig.give("promote", SERVES_LR)
    assert again.json() == first.json()
    assert len(rig.commands.commands) == 1
    look = await rig.ask("GET", "/v1/commands/k1")
    assert look.json()["seq"] == first.json()["seq"]


async def test_a_refused_command_is_409_with_the_reason() -> None:
    answer = await Rig(running()).give("promote", {"model": "churn", "version": "lr/v9"})
    assert answer.status_code == 409
    assert answer.json()["error"] == "Churn has no version lr/v9."


async def test_a_command_that_nobody_decides_is_202_with_where_to_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(routes, "WAIT_SECONDS", 0.05)
    rig = Rig(running(), owned=False)
    answer = await rig.give("promote", SERVES_LR)
    assert (answer.status_code, answer.headers["location"]) == (202, "/v1/commands/k1")
    assert (await rig.ask("GET", answer.headers["location"])).status_code == 404
    rig.book.bring(rig.commands.commands[0])
    rig.feed()
    assert (await rig.ask("GET", answer.headers["location"])).json()["outcome"] == "accepted"


@pytest.mark.parametrize(
    ("action", "body"),
    [
        pytest.param("rollback", {"model": "churn"}, id="another action"),
        pytest.param("promote", {"model": "churn", "version": "sm/v1"}, id="another version"),
        pytest.param("promote", {"model": "other", "version": "lr/v1"}, id="another model"),
    ],
)
@pytest.mark.parametrize("first", ["lr/v1", "lr/v9"], ids=["accepted", "refused"])
async def test_a_key_belongs_to_one_command(first: str, action: str, body: dict[str, Any]) -> None:
    rig = Rig(running())
    was = await rig.give("promote", {"model": "churn", "version": first})
    answer = await rig.give(action, body)
    assert (answer.status_code, answer.json()) == (
        409, {"error": "This Idempotency-Key belongs to another command."},
    )  # fmt: skip
    again = await rig.give("promote", {"model": "churn", "version": first})
    assert (again.status_code, again.json()) == (was.status_code, was.json())


@pytest.mark.parametrize("content", ["NaN", "1" + "0" * 30, '{"a":' * 300 + "1" + "}" * 300])
async def test_a_body_that_cannot_be_sent_on_is_422(content: str) -> None:
    rig = Rig(running())
    raw = f'{{"action":"hold","reason":"r","body":{{"model":"churn","x":{content}}}}}'
    headers = {"Idempotency-Key": "k1", "content-type": "application/json"}
    answer = await rig.ask("POST", "/v1/commands", content=raw, headers=headers)
    assert answer.status_code == 422
    assert "JSON cannot say, or is nested too deeply" in answer.json()["error"]
    assert rig.commands.commands == []


@pytest.mark.parametrize("action", ["model_updated", "gate_evaluated", "installation", "schedule"])
async def test_what_services_say_cannot_be_said_over_http(action: str) -> None:
    rig = Rig(running())
    assert (await rig.give(action, {"model": "churn"})).status_code == 422
    assert rig.commands.commands == []


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"reason": ""}, "reason"),
        ({"headers": {"Idempotency-Key": "no key"}}, "idempotency-key"),
        ({"stage": "x"}, "stage"),
        ({"not_after": "soon"}, "not_after"),
    ],
)
async def test_a_command_that_is_incomplete_is_422(more: dict[str, Any], says: str) -> None:
    answer = await Rig(running()).give("promote", SERVES_LR, **more)
    assert answer.status_code == 422
    assert says in answer.json()["error"]


def a_hold(**more: str) -> bytes:
    """A command as JSON; what is added comes as it is."""
    given = {
        "action": '"hold"', "body": '{"model":"churn"}', "reason": '"because"', "actor": '"ann"',
    }  # fmt: skip
    parts = (f'"{name}":{value}' for name, value in {**given, **more}.items())
    return f"{{{','.join(parts)}}}".encode()


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        pytest.param(a_hold(not_after="99999999999999999"), "after year 9999", id="a far time"),
        pytest.param(a_hold(not_after="-99999999999999999"), "before year 2", id="an early time"),
        pytest.param(a_hold(not_after="1e300"), "after year 9999", id="a time over 64 bits"),
        pytest.param(a_hold(expected_seq="9" * 30), "expected_seq", id="a seq over 64 bits"),
        pytest.param(a_hold(reason='"\\ud800"'), "reason", id="half a character"),
        pytest.param(a_hold(actor='"\\udfff"'), "actor", id="half a character of a name"),
        pytest.param(a_hold(body='{"x":"\\ud800"}'), "body", id="half a character inside"),
        pytest.param(a_hold(body=f'{{"x":"{"y" * 999_932}"}}'), "over the limit", id="too long"),
    ],
)
async def test_a_command_that_cannot_be_written_is_422(raw: bytes, says: str) -> None:
    rig = Rig(running())
    headers = {"Idempotency-Key": "k", "content-type": "application/json"}
    answer = await rig.ask("POST", "/v1/commands", content=raw, headers=headers)
    assert answer.status_code == 422, answer.text
    assert says in answer.json()["error"]
    assert rig.commands.commands == []


@pytest.mark.parametrize(
    "body", [{"x": "\ud800"}, {"x": 2**64}, {"x": [[]]}, {"x": object()}, {"x": "y" * 1_000_000}]
)
def test_a_command_that_cannot_be_written_is_one_sentence_everywhere(body: dict[str, Any]) -> None:
    for _ in range(300 if body["x"] == [[]] else 0):
        body["x"] = [body["x"]]
    command = RegistryCommand.model_construct(
        command_id="k", action="hold", actor="a", reason="r", body=body
    )
    with pytest.raises(CommandUnfitError, match=r"^The command (holds|has) .*\.$"):
        written(command)


async def test_a_rollback_lists_the_scorers_and_is_complete_when_none_is_left() -> None:
    book = running()
    book.accepted("promote", SERVES_LR)
    rig = Rig(book)
    deployed = book.state.models["churn"].deployed
    assert deployed is not None
    lr1 = deployed.body.version_id
    for name, ago in (("s1", 0), ("s2", 60_000)):
        status = ScorerStatus(scorer_id=name, seq=1, versions={"churn": lr1}, at=START - ago)
        rig.folds.take(SCORER_STATUS, encode(status))
    told = (await rig.give("rollback", {"model": "churn"})).json()["scorers"]
    assert told == {"confirmed": [], "pending": ["s1"], "silent": ["s2"], "complete": False}
    sm1 = told and book.state.models["churn"].deployed
    assert sm1
    back = ScorerStatus(scorer_id="s1", seq=2, versions={"churn": sm1.body.version_id}, at=START)
    gone = ScorerStatus(scorer_id="s2", seq=2, versions={}, at=START, signed_off=True)
    for status in (back, gone):
        rig.folds.take(SCORER_STATUS, encode(status))
    deployment = (await rig.ask("GET", "/v1/models/churn/deployment")).json()
    assert deployment["scorers"]["complete"]
    assert deployment["scorers"]["confirmed"] == ["s1"]


def verdict(number: int, revision: int = 1) -> bytes:
    window = {"from": format_time(0), "to": format_time(5_000), "n": 200}
    return encode(
        Verdict.model_validate(
            {"verdict_id": f"{number:016x}", "revision": revision, "model": "churn",
             "model_version": "v", "check": "data", "target": 200, "window": window,
             "outcome": "ok", "results": [], "at": format_time(0)}
        )
    )  # fmt: skip


def alert(number: int, status: str = "firing", revision: int = 1) -> bytes:
    return encode(
        Alert.model_validate(
            {"alert_id": f"{number:016x}", "fingerprint": "0" * 16, "status": status,
             "revision": revision, "at": 0, "severity": "error", "model": "churn",
             "model_version": "v", "check": "data", "scope": "model", "opened_at": 0,
             "opened_by": ["journal", 0, 0], "n": 1, "summary": "s", "replay": "r"}
        )
    )  # fmt: skip


async def test_verdicts_and_alerts_are_the_newest_revisions_and_bounded() -> None:
    rig = Rig(running())
    for number in range(VERDICTS_PER_MODEL + 10):
        rig.folds.take(VERDICTS, verdict(number))
    rig.folds.take(VERDICTS, verdict(500, revision=3))
    rig.folds.take(VERDICTS, verdict(500, revision=2))
    found = (await rig.ask("GET", "/v1/models/churn/verdicts?limit=1000")).json()
    assert len(found) == VERDICTS_PER_MODEL
    assert (found[-1]["verdict_id"], found[-1]["revision"]) == (f"{500:016x}", 3)
    assert found[0]["window"]["from"] == format_time(0)
    for number in range(ALERTS_KEPT + 10):
        rig.folds.take(ALERTS, alert(number))
    rig.folds.take(ALERTS, alert(900, "resolved", 2))
    rig.folds.take(ALERTS, b"{")
    everything = (await rig.ask("GET", "/v1/alerts?limit=1000")).json()
    still_open = (await rig.ask("GET", "/v1/alerts?limit=1000&open=true")).json()
    assert (len(everything), len(still_open)) == (ALERTS_KEPT, ALERTS_KEPT - 1)
    assert everything[-1]["status"] == "resolved"


async def test_a_damaged_registry_is_named_and_not_served() -> None:
    book = running()
    book.records[3] = book.records[3].replace(b"because", b"becuase")
    rig = Rig(book)
    assert rig.folds.damage == "the registry is damaged: fact 3 was changed after it was written"
    assert rig.folds.registry.last == book.facts[2]
    rig.folds.take(REGISTRY, running().records[3])
    assert rig.folds.registry.last == book.facts[2]


async def test_a_fact_that_cannot_be_taken_in_is_damage() -> None:
    book = running()
    body = {**gate("0" * 16, 1), "mean": None}
    draft = Draft("x", "gate_evaluated", "ann", "because", body)
    book.records.append(seal(draft, book.state.last, book.now)[1])
    folds = Rig(book).folds
    assert folds.damage is not None
    assert folds.damage.startswith("the registry is damaged: fact 4 (gate_evaluated) cannot be")
    assert folds.registry.last == book.facts[3]


async def test_nothing_is_answered_before_the_registry_is_read() -> None:
    rig = Rig(running())
    rig.folds.not_ready = "the registry is not read yet"
    answer = await rig.ask("GET", "/v1/models")
    assert (answer.status_code, answer.json()) == (
        503, {"error": "Not ready: the registry is not read yet."},
    )  # fmt: skip


async def test_the_description_names_every_route() -> None:
    described = (await Rig(running()).ask("GET", "/v1/openapi.json")).json()
    assert set(described["paths"]) == {
        "/v1/models", "/v1/models/{model}", "/v1/models/{model}/versions",
        "/v1/models/{model}/verdicts", "/v1/models/{model}/deployment", "/v1/alerts",
        "/v1/commands", "/v1/commands/{command_id}",
    }  # fmt: skip
    assert {"200", "202", "409", "422"} <= set(
        described["paths"]["/v1/commands"]["post"]["responses"]
    )
