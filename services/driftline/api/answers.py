"""What the API takes and gives, beside the events themselves."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from driftline_schemas.fields import ID_PATTERN, Millis
from driftline_schemas.registry import Count

CommandId = Annotated[str, StringConstraints(pattern=ID_PATTERN)]


class Problem(BaseModel):
    """Why a request was not done: one sentence."""

    error: str


class CommandRequest(BaseModel):
    """A person's command; its id is the header Idempotency-Key."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["apply_spec", "promote", "rollback", "hold", "lift", "accept_drift", "retrain"]
    body: dict[str, Any]
    reason: Annotated[str, Field(min_length=1, max_length=1_000)]
    actor: Annotated[str, Field(min_length=1, max_length=190)] = "somebody"
    not_after: Millis | None = None
    expected_seq: Count | None = None

    @field_validator("body")
    @classmethod
    def _can_be_sent(cls, body: dict[str, Any]) -> dict[str, Any]:
        try:
            is_whole = orjson.loads(orjson.dumps(body)) == body
        except TypeError:  # over 64 bits, half a character, or too deep
            is_whole = False
        if not is_whole:
            raise ValueError(
                "it holds a number or a text that JSON cannot say, or is nested too deeply"
            )
        return body


class Scorers(BaseModel):
    """The scorers by what they say; complete when none can serve another version any more."""

    confirmed: list[str]
    pending: list[str]
    silent: list[str]
    complete: bool


class CommandAnswer(BaseModel):
    """The fact that a command became."""

    command_id: str
    action: str
    outcome: Literal["accepted", "refused"]
    seq: int
    actor: str
    reason: str
    at: Millis
    body: dict[str, Any]
    scorers: Scorers | None = None  # after a promotion or a rollback


class Pending(BaseModel):
    """Nobody has decided yet; `location` will tell."""

    command_id: str
    location: str


class DeploymentAnswer(BaseModel):
    """What serves a model, who decided so, and which scorers do so already."""

    model: str
    deployment_seq: int
    fact_seq: int
    version_id: str
    name: str | None
    lineage: str
    previous: str | None
    actor: str
    reason: str
    at: Millis
    scorers: Scorers
