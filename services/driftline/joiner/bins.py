"""The bins of every model, as the registry's facts put them into force."""

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from driftline.core.drift.bins import BooleanBins, CategoricalBins, FeatureBins, NumericBins
from driftline.core.joining.counting import ModelBins
from driftline.runtime.ports import Clock, StoreUnavailableError
from driftline_schemas.control import Bins, BinsBody
from driftline_schemas.registry import Fact

log = structlog.get_logger(__name__)

READ_SECONDS = 1.0


@dataclass(slots=True)
class BinsInForce:
    """Bins by model and append time, and up to which moment of the registry they are known."""

    lead_ms: int
    known_at: int = 0  # at this time (ms) the registry had been read to its end
    _by_model: dict[str, list[ModelBins]] = field(default_factory=dict)

    def learn(self, fact: Fact) -> None:
        """Take the bins of an accepted fact."""
        body = fact.body.get("bins") if fact.outcome == "accepted" else None
        if fact.action != "apply_spec" or not body:
            return
        bins = model_bins(BinsBody.model_validate(body))
        versions = self._by_model.setdefault(fact.body["spec"]["model"], [])
        versions.append(bins)
        versions.sort(key=lambda each: each.effective_from)  # stable: a later fact wins a tie

    def of(self, model: str, time: int) -> ModelBins | None:
        """The bins for a prediction appended at `time` (ms); None before any."""
        versions = self._by_model.get(model)
        if not versions:
            return None
        place = bisect_right(versions, time, key=lambda each: each.effective_from)
        return versions[place - 1] if place else None

    def known_for(self, time: int) -> bool:
        """True when no unread fact can put bins into force at `time`: facts lead by lead_ms."""
        return self.known_at >= time - self.lead_ms


def model_bins(body: BinsBody) -> ModelBins:
    """Bins as the core counts by them."""
    return ModelBins(
        body.bins_id,
        body.effective_from,
        {name: feature_bins(bins) for name, bins in body.features.items()},
        feature_bins(body.prediction) if body.prediction else None,
    )


def feature_bins(bins: Bins) -> FeatureBins:
    """One feature's bins."""
    if bins.kind == "numeric":
        return NumericBins(tuple(bins.edges or ()))
    if bins.kind == "categorical":
        return CategoricalBins(tuple(bins.categories or ()))
    return BooleanBins()


async def follow(bins: BinsInForce, read_new: Callable[[], Awaitable[list[Fact]]],
                 clock: Clock) -> None:  # fmt: skip
    """Keep `bins` current; a registry that cannot be read is tried again, `known_at` stays."""
    while True:
        at = clock.now()
        try:
            for fact in await read_new():
                bins.learn(fact)
        except StoreUnavailableError as error:
            log.warning("registry_unavailable", error=str(error))
        else:
            bins.known_at = at
        await asyncio.sleep(READ_SECONDS)
