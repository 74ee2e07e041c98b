"""The routes under /v1."""

from dataclasses import asdict
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from driftline.api.answers import (
    CommandAnswer,
    CommandId,
    CommandRequest,
    DeploymentAnswer,
    Pending,
    Problem,
    Scorers,
)
from driftline.api.commands import Commands
from driftline.api.folds import ALERTS_KEPT, OPEN, TAIL, VERDICTS_PER_MODEL, Folds
from driftline.core.registry.models import ModelState
from driftline.core.registry.rows import model_row, version_row
from driftline.core.registry.state import model_of
from driftline.runtime.command_log import CommandNotSentError, CommandUnfitError
from driftline.runtime.ports import Clock
from driftline_schemas.alerts import Alert
from driftline_schemas.commands import NOT_AFTER_MS
from driftline_schemas.registry import Fact, RegistryCommand, command_hash
from driftline_schemas.verdicts import Verdict

WAIT_SECONDS: Final = 2.0
MOST: Final = 1_000  # on a page
Limit = Annotated[int, Query(ge=1, le=MOST, description="The newest so many.")]
PAGED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "headers": {
            "Link": {"schema": {"type": "string"}, "description": "The next page, if there is one."}
        }
    }
}


def routes(folds: Folds, commands: Commands, clock: Clock) -> APIRouter:
    """All of them, around one state."""
    router = APIRouter(prefix="/v1")
    _add_models(router, folds, clock)
    _add_findings(router, folds)
    _add_commands(router, folds, commands, clock)
    return router


def _add_models(router: APIRouter, folds: Folds, clock: Clock) -> None:
    @router.get("/models", summary="All models, by name", responses=PAGED)
    async def models(
        response: Response,
        limit: Annotated[int, Query(ge=1, le=MOST, description="At most so many.")] = MOST,
        after: Annotated[str | None, Query(description="Only names that come later.")] = None,
    ) -> list[dict[str, Any]]:
        known = folds.registry.models
        names = sorted(name for name in known if after is None or name > after)
        if len(names) > limit:
            _add_next(response, "/v1/models", limit=limit, after=names[limit - 1])
        return [model_row(known[name]) for name in names[:limit]]

    @router.get(
        "/models/{model:path}/versions", summary="A model's versions, newest last", responses=PAGED
    )
    async def versions(
        response: Response,
        model: str,
        limit: Limit = 100,
        before: Annotated[int | None, Query(ge=0, description="Only older than this fact.")] = None,
    ) -> list[dict[str, Any]]:
        known = _known(folds, model)
        found = known.versions.newest(limit, before)
        if found and known.versions.until(found[0].fact_seq):
            path = f"/v1/models/{quote(model, safe='')}/versions"
            _add_next(response, path, limit=limit, before=found[0].fact_seq)
        return [version_row(known, each) for each in found]

    @router.get(
        "/models/{model:path}/verdicts",
        summary="What was found, newest last",
        description=f"Of the newest {VERDICTS_PER_MODEL:,} of a model, fewer where it has many"
        f" features; after a restart, of the newest {TAIL:,} records of its partition.",
    )
    async def verdicts(model: str, limit: Limit = 100, check: str | None = None) -> list[Verdict]:
        found = folds.verdicts[model].values() if model in folds.verdicts else ()
        return [verdict for verdict in found if check in (None, verdict.check)][-limit:]

    @router.get("/models/{model:path}/deployment", summary="What serves, and where")
    async def deployment(model: str) -> DeploymentAnswer:
        known = _known(folds, model)
        if known.deployed is None:
            raise HTTPException(404, f"Nothing is deployed for {model}.")
        return _deployment(folds, known, clock.now())

    @router.get("/models/{model:path}", summary="A model and its specification")
    async def one_model(model: str) -> dict[str, Any]:
        metrics = [each.model_dump(exclude_none=True) for each in folds.learned(model)]
        return {**_described(_known(folds, model)), "metrics": metrics}


def _add_findings(router: APIRouter, folds: Folds) -> None:
    @router.get(
        "/alerts",
        summary="Alerts in their newest revision, newest last",
        description=f"Of the {ALERTS_KEPT:,} that are kept, of which those that are over go first;"
        f" after a restart, of the newest {TAIL:,} records of each partition: one that opened"
        " before those and did not change since is not among them.",
    )
    async def alerts(
        model: str | None = None,
        is_open: Annotated[bool, Query(alias="open", description="Only what is open.")] = False,
        limit: Limit = 100,
    ) -> list[Alert]:
        return [
            alert
            for alert in folds.alerts.values()
            if model in (None, alert.model) and (not is_open or alert.status in OPEN)
        ][-limit:]


def _add_commands(router: APIRouter, folds: Folds, commands: Commands, clock: Clock) -> None:
    @router.post(
        "/commands",
        summary="Give the registry a command",
        response_model=CommandAnswer,
        responses={202: {"model": Pending}, 409: {"model": Problem}, 422: {"model": Problem}},
    )
    async def give(
        given: CommandRequest,
        idempotency_key: Annotated[CommandId, Header(description="The command's id.")],
    ) -> Response:
        command = _command(given, idempotency_key, clock.now())
        fact = await carry_out(folds, commands, command)
        if fact is None:
            location = f"/v1/commands/{command.command_id}"
            pending = Pending(command_id=command.command_id, location=location)
            return JSONResponse(pending.model_dump(), 202, {"Location": location})
        return _answer(folds, fact, clock.now())

    @router.get("/commands/{command_id}", summary="What became of a command")
    async def look(command_id: CommandId) -> CommandAnswer:
        if (fact := folds.facts.get(command_id)) is not None:
            return _told(folds, fact, clock.now())
        if (seq := folds.registry.commands.get(command_id)) is not None:
            raise HTTPException(410, f"It became fact {seq}, which is too old to be kept here.")
        raise HTTPException(404, "The registry has not decided on this command (yet).")


async def carry_out(folds: Folds, commands: Commands, command: RegistryCommand) -> Fact | None:
    """Give a command unless it was decided on before; the fact, None if there is none in time."""
    fact = folds.facts.get(command.command_id)
    if fact is None:
        await _append(commands, command)
        fact = await folds.decided(command.command_id, WAIT_SECONDS)
    if fact is not None and not _is_answer(fact, command):
        raise HTTPException(409, "This Idempotency-Key belongs to another command.")
    return fact


def _add_next(response: Response, path: str, **query: int | str) -> None:
    response.headers["Link"] = f'<{path}?{urlencode(query)}>; rel="next"'


def refusal(fact: Fact) -> str:
    """Why the registry refused, as one sentence."""
    why = str(fact.body.get("why", "refused"))
    return f"{why[:1].upper()}{why[1:]}."


async def _append(commands: Commands, command: RegistryCommand) -> None:
    try:
        await commands.append(command)
    except CommandUnfitError as error:
        raise HTTPException(422, str(error)) from None
    except CommandNotSentError as error:
        raise HTTPException(503, str(error)) from None


def _command(given: CommandRequest, command_id: str, now: int) -> RegistryCommand:
    return RegistryCommand(
        command_id=command_id,
        action=given.action,
        actor=f"api:{given.actor}",
        reason=given.reason,
        not_after=now + NOT_AFTER_MS if given.not_after is None else given.not_after,
        expected_seq=given.expected_seq,
        body=given.body,
    )


def _is_answer(fact: Fact, command: RegistryCommand) -> bool:
    """The same id may only come again with the same command. Facts of former releases do not say
    with which: those are told by their action and model."""
    if fact.command_hash is not None:
        return fact.command_hash == command_hash(command)
    if fact.action != command.action:
        return False
    body = command.body.get("spec") if command.action == "apply_spec" else command.body
    wanted = body.get("model") if isinstance(body, dict) else None
    known = fact.body.get("model") if fact.outcome == "refused" else model_of(fact)
    return known in (None, wanted)


def _answer(folds: Folds, fact: Fact, now: int) -> Response:
    if fact.outcome == "refused":
        return JSONResponse({"error": refusal(fact), "seq": fact.seq}, 409)
    told = _told(folds, fact, now)
    return Response(told.model_dump_json(exclude_none=True), 200, media_type="application/json")


def _told(folds: Folds, fact: Fact, now: int) -> CommandAnswer:
    moved = fact.outcome == "accepted" and "deployed" in fact.body
    parts = fact.model_dump(exclude={"previous_hash", "hash", "command_hash"})
    return CommandAnswer.model_validate(
        {**parts, "scorers": _scorers(folds, model_of(fact), now) if moved else None}
    )


def _scorers(folds: Folds, model: str, now: int) -> Scorers:
    found = folds.confirmations(model, now)
    return Scorers(**asdict(found), complete=found.complete)


def _known(folds: Folds, model: str) -> ModelState:
    if model not in folds.registry.models:
        raise HTTPException(404, "No spec of this model is applied.")
    return folds.registry.models[model]


def _deployment(folds: Folds, known: ModelState, now: int) -> DeploymentAnswer:
    deployed = known.deployed
    assert deployed is not None  # noqa: S101 - the route has looked
    version = deployed.version
    return DeploymentAnswer(
        model=known.name,
        deployment_seq=deployed.body.deployment_seq,
        fact_seq=deployed.decided.fact_seq,
        version_id=deployed.body.version_id,
        name=version.name if version else None,
        lineage=deployed.body.lineage,
        previous=deployed.body.previous,
        actor=deployed.decided.actor,
        reason=deployed.decided.reason,
        at=deployed.decided.at,
        scorers=_scorers(folds, known.name, now),
    )


def _described(known: ModelState) -> dict[str, Any]:
    spec = known.spec
    return {
        **model_row(known),
        "spec": spec.body.spec.model_dump(mode="json", exclude_defaults=True) if spec else None,
        "spec_seq": spec.decided.fact_seq if spec else None,
        "bins_id": spec.bins_id if spec else None,
        "holds": [
            {"lineage": lineage, "actor": by.actor, "reason": by.reason, "seq": by.fact_seq}
            for lineage, by in known.held.items()
        ],
        "gates": [
            {
                **gate.evaluated.model_dump(mode="json", exclude_none=True),
                "seq": gate.decided.fact_seq,
            }
            for gate in known.gates.values()
        ],
    }


def check_ready(folds: Folds, _request: Request) -> None:
    """503 until the topics are read to where they ended at the start."""
    if folds.not_ready is not None:
        raise HTTPException(503, f"Not ready: {folds.not_ready}.")
