"""The application: routes behind the gate, every error one sentence: of JSON, or a page."""

from typing import Any

import structlog
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as RoutingError

from driftline.api.commands import Commands
from driftline.api.folds import Folds
from driftline.api.gatekeeper import Gatekeeper, is_api
from driftline.api.page.layout import Reader, document
from driftline.api.page.routes import page_routes
from driftline.api.page.sign_in import sentence_page
from driftline.api.roles import ROLES, Access, Role
from driftline.api.routes import check_ready, routes
from driftline.api.sessions import Sessions
from driftline.runtime.dead_letters import VERSION
from driftline.runtime.ports import Clock

log = structlog.get_logger(__name__)


def application(folds: Folds, commands: Commands, clock: Clock, access: Access) -> FastAPI:
    """The API over one state. Nothing connects here."""

    async def admit(request: Request) -> None:
        needed = authorise(request)
        if needed > Role.anyone and request.scope["route"].path != "/v1/openapi.json":
            check_ready(folds, request)

    sessions = Sessions(clock, access.tokens)

    app = FastAPI(
        title="Driftline",
        version=VERSION,
        openapi_url=None,  # below, as a route with a role
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        dependencies=[Depends(admit)],
        redirect_slashes=False,
    )
    app.include_router(routes(folds, commands, clock))
    app.include_router(page_routes(folds, commands, clock, access, sessions))

    @app.get("/v1/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return app.openapi()

    app.add_exception_handler(RoutingError, _refusal)
    app.add_exception_handler(RequestValidationError, _misfit)
    app.add_exception_handler(Exception, _fault)
    app.add_middleware(Gatekeeper, access=access, sessions=sessions)
    return app


def authorise(request: Request) -> Role:
    """The role that the route needs; 403 unless who asks has it; a route without one: nobody."""
    needed = ROLES.get((request.method, request.scope["route"].path))
    role: Role = request.state.role or Role.anyone
    if needed is None or role < needed:
        raise HTTPException(403, "Your token does not allow this.")
    return needed


def _told(request: Request, sentence: str, status: int) -> Response:
    """One sentence, for a program or for a person."""
    if is_api(request.url.path):
        return JSONResponse({"error": sentence}, status)
    role: Role = getattr(request.state, "role", None) or Role.anyone
    page = document(sentence_page(status, sentence), Reader(role))
    return Response(page, status, {"cache-control": "no-store"}, "text/html; charset=utf-8")


def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, RoutingError)  # noqa: S101 - registered for nothing else
    return _told(request, str(error.detail), error.status_code)


def _misfit(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    fault = error.errors()[0]
    where = ".".join(str(step)[:64] for step in fault["loc"][1:]) or "body"
    return _told(request, f"{where}: {fault['msg'].removeprefix('Value error, ')}", 422)


def _fault(request: Request, error: Exception) -> Response:
    log.error("unexpected", exc_info=error)
    return _told(request, "An unexpected error; the log of the API says more.", 500)
