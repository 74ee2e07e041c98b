"""Can every reader take a fact in? Asked before it is written: what is in the log stays. Pure."""

from typing import Final

from driftline.core.fact_chain import BrokenChainError, Draft, follow, seal
from driftline.core.registry.consequences import controls_of, deployment_of
from driftline.core.registry.state import MISFIT, RegistryState, misfit_said
from driftline_schemas.codec import UnreadableEvent, decode, encode
from driftline_schemas.fields import Event
from driftline_schemas.registry import Fact

MOST_BYTES: Final = 1_000_000  # of a record; the broker's limit is 1,048,576 with overhead


def why_unreadable(draft: Draft, last: Fact | None, now: int) -> str | None:
    """Why the draft, sealed after `last` at `now` (ms), may not become a fact; None if it may.

    It is read back as every reader would: the fact itself, the deployment, the control records.
    """
    try:
        fact, raw = seal(draft, last, now)
        RegistryState().apply(follow(raw, last))
        following = [*controls_of(fact), *filter(None, [deployment_of(fact)])]
        records = [raw, *map(_read_back, following)]
    except BrokenChainError as error:
        return str(error)
    except UnreadableEvent as error:
        return f"what would follow from it cannot be read: {error}"
    except MISFIT as error:
        return f"it cannot be written: {misfit_said(error)}"
    if (longest := max(map(len, records))) > MOST_BYTES:
        return f"it would take a record of {longest:,} bytes, over the limit of {MOST_BYTES:,}"
    return None


def _read_back(event: Event) -> bytes:
    raw = encode(event)
    decode(type(event), raw)
    return raw
