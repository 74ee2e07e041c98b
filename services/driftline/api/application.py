"""The application: routes behind the gate, every error one sentence of JSON."""

from typing import Any

import structlog
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as RoutingError

from driftline.api.commands import Commands
from driftline.api.folds import Folds
from driftline.api.gatekeeper import Gatekeeper
from driftline.api.roles import ROLES, Access, Role
from driftline.api.routes import check_ready, routes
from driftline.runtime.dead_letters import VERSION
from driftline.runtime.ports import Clock

log = structlog.get_logger(__name__)


def application(folds: Folds, commands: Commands, clock: Clock, access: Access) -> FastAPI:
    """The API over one state. Nothing connects here."""

    async def admit(request: Request) -> None:
        authorise(request)
        if request.scope["route"].path != "/v1/openapi.json":
            check_ready(folds, request)

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

    @app.get("/v1/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return app.openapi()

    app.add_exception_handler(RoutingError, _refusal)
    app.add_exception_handler(RequestValidationError, _misfit)
    app.add_exception_handler(Exception, _fault)
    app.add_middleware(Gatekeeper, access=access)
    return app


def authorise(request: Request) -> None:
    """403 unless the role of who asks is enough for the route; a route without a role: nobody."""
    needed = ROLES.get((request.method, request.scope["route"].path))
    role: Role | None = request.state.role
    if needed is None or role is None or role < needed:
        raise HTTPException(403, "Your token does not allow this.")


def _refusal(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RoutingError)  # noqa: S101 - registered for nothing else
    return JSONResponse({"error": str(error.detail)}, error.status_code)


def _misfit(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    fault = error.errors()[0]
    where = ".".join(str(step)[:64] for step in fault["loc"][1:]) or "body"
    return JSONResponse({"error": f"{where}: {fault['msg'].removeprefix('Value error, ')}"}, 422)


def _fault(_request: Request, error: Exception) -> JSONResponse:
    log.error("unexpected", exc_info=error)
    return JSONResponse({"error": "An unexpected error; the log of the API says more."}, 500)
