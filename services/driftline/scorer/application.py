"""The application: three routes behind the gate, every error one sentence of JSON."""

from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, SecretStr
from starlette.exceptions import HTTPException as RoutingError

from driftline.runtime.dead_letters import VERSION
from driftline.scorer.gatekeeper import MOST_REQUESTS, Gatekeeper
from driftline.scorer.predicting import Predicting
from driftline.scorer.problems import Problem
from driftline.scorer.requests import PredictAnswer, PredictRequest
from driftline.scorer.swapping import Standing

log = structlog.get_logger(__name__)


class Sentence(BaseModel):
    """Why there is no prediction."""

    error: str


class ServedModel(BaseModel):
    """What serves a model here, and what should. `refused` says why they differ; `warm`: versions
    that could take over without being loaded."""

    model: str
    deployment_seq: int
    wanted: str | None
    served: str | None
    name: str | None
    refused: str | None
    warm: list[str]

    @classmethod
    def of(cls, standing: Standing) -> "ServedModel":
        """Where a model stands."""
        served = standing.served
        return cls(
            model=standing.wanted.model,
            deployment_seq=standing.wanted.seq,
            wanted=standing.wanted.version_id,
            served=served.version.version_id if served else None,
            name=served.version.name if served else None,
            refused=standing.refused,
            warm=standing.shelf.names(),
        )


PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Sentence} for status in (401, 404, 413, 415, 422, 500, 503)
}
# FastAPI would read the body twice as slowly as the route does itself.
BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": PredictRequest.model_json_schema()}},
    }
}


def application(
    predicting: Predicting, token: SecretStr | None, most: int = MOST_REQUESTS
) -> FastAPI:
    """The scorer over one state. Nothing connects here."""
    app = FastAPI(
        title="Driftline scorer",
        version=VERSION,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    _add_routes(app, predicting)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RoutingError, _refusal)
    app.add_exception_handler(Exception, _fault)
    secret = token.get_secret_value().encode() if token else None
    app.add_middleware(Gatekeeper, token=secret, most=most)
    return app


def _add_routes(app: FastAPI, predicting: Predicting) -> None:
    @app.post(
        "/v1/models/{model:path}:predict",
        summary="Predict, and publish the prediction",
        response_model=PredictAnswer,
        responses=PROBLEMS,
        openapi_extra=BODY,
    )
    async def predict(model: str, request: Request) -> Response:
        answer = await predicting.answer(model, await request.body())
        return Response(answer, media_type="application/json")

    @app.get("/v1/models", summary="What serves here")
    async def models() -> list[ServedModel]:
        return [ServedModel.of(standing) for _, standing in sorted(predicting.models.items())]


def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - registered for nothing else
    return error.answer()


def _refusal(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RoutingError)  # noqa: S101 - registered for nothing else
    return JSONResponse({"error": str(error.detail)}, error.status_code)


def _fault(_request: Request, error: Exception) -> Response:
    log.error("unexpected", exc_info=error)
    return JSONResponse({"error": "An unexpected error; the scorer's log says more."}, 500)
