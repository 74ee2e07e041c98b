"""What does a block of predictions say, feature by feature, against the reference?

A feature that cannot be judged says so and why; it never blinds the others. The level of each test
comes from the alarm budget of the spec.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftline.core.drift.bins import FeatureBins
from driftline.core.drift.budget import alpha
from driftline.core.drift.counts import Counts
from driftline.core.drift.two_sample import Comparison, compare
from driftline.core.monitoring.detection import ReadyBlock
from driftline.core.reference import bins_of
from driftline_schemas.control import BinsBody
from driftline_schemas.spec import PREDICTION_SCOPE, ModelSpec
from driftline_schemas.verdicts import Outcome, Result, Verdict, Window, verdict_id

DATA: Final = "data"
RANKED: Final[tuple[Outcome, ...]] = ("drifted", "ok", "not_enough_data", "cannot_evaluate")


@dataclass(frozen=True, slots=True)
class Reference:
    """The bins in force for a model, and how many predictions of the reference fell into each;
    `name` is what sentences call it."""

    bins_id: str
    scopes: Mapping[str, tuple[FeatureBins, Counts]]
    name: str
    own: Mapping[str, Counts]  # counts that took the place of the specification's

    @classmethod
    def of(cls, body: BinsBody, name: str, own: Mapping[str, Counts]) -> "Reference":
        """The bins of a `bins` control record, with its counts or those that took their place."""
        features = body.features.items()
        described = {name: bins for name, bins in features if name != PREDICTION_SCOPE}
        if body.prediction is not None:
            described[PREDICTION_SCOPE] = body.prediction
        scopes = {
            name: (bins_of(bins), own[name] if name in own else np.array(bins.reference, np.int64))
            for name, bins in described.items()
        }
        return cls(body.bins_id, scopes, name, own)

    def judge(self, scope: str, counts: Mapping[str, Counts], level: float) -> Comparison:
        """Compare one scope of a block with the reference at the level alpha."""
        if scope not in self.scopes:
            return _blind(f"the reference holds no {_called(scope)}", level)
        bins, reference = self.scopes[scope]
        return compare(bins, reference, counts.get(scope, np.zeros(bins.size, np.int64)), level)


def judge_block(
    spec: ModelSpec, reference: Reference | None, ready: ReadyBlock
) -> dict[str, Comparison]:
    """A comparison for each feature of the spec, and for its predictions, in the spec's order."""
    level = _level(spec, ready)
    scopes = [feature.name for feature in spec.features] + [PREDICTION_SCOPE]
    if reference is None:
        return {scope: _blind("the model has no reference", level) for scope in scopes}
    return {scope: reference.judge(scope, ready.block.counts, level) for scope in scopes}


def features_only(comparisons: Mapping[str, Comparison]) -> dict[str, Comparison]:
    """The comparisons that an incident of the data rests on: the outputs are not its cause."""
    return {scope: c for scope, c in comparisons.items() if scope != PREDICTION_SCOPE}


def data_verdict(
    spec: ModelSpec,
    reference: Reference | None,
    ready: ReadyBlock,
    comparisons: Mapping[str, Comparison],
    *,
    pane_ms: int,
    at: int,
) -> Verdict:
    """The published form of a judged block."""
    block = ready.block
    start = block.start_index * pane_ms
    end = start + block.panes * pane_ms
    own = {} if reference is None else reference.own
    results = [
        _result(scope, comparison, block.counts.get(scope), own.get(scope))
        for scope, comparison in comparisons.items()
    ]
    return Verdict(
        verdict_id=verdict_id(spec.model, DATA, block.target, start, end),
        revision=1,
        model=spec.model,
        model_version=ready.model_version,
        check=DATA,
        target=block.target,
        window=Window(start=start, end=end, n=block.n),
        bins_id=None if reference is None else reference.bins_id,
        outcome=min((result.outcome for result in results), key=RANKED.index),
        results=results,
        budget_share=_level(spec, ready) * len(results),
        at=at,
    )


def _level(spec: ModelSpec, ready: ReadyBlock) -> float:
    return alpha(spec.alarm_budget, ready.block.target, len(spec.features))


def _called(scope: str) -> str:
    return "predictions" if scope == PREDICTION_SCOPE else "such feature"


def _blind(reason: str, level: float) -> Comparison:
    return Comparison("cannot_evaluate", reason, "chi_square", 0.0, None, 0.0, level)


def _result(
    scope: str, comparison: Comparison, counts: Counts | None, own: Counts | None
) -> Result:
    asked = comparison.p_value is not None
    return Result(
        scope=scope,
        statistic=comparison.statistic,
        value=comparison.value if asked else None,
        p_value=comparison.p_value,
        effect=comparison.effect if asked else None,
        threshold=comparison.threshold,
        outcome=comparison.outcome,
        reason=comparison.reason,
        counts=None if counts is None else counts.tolist(),
        reference=None if own is None else own.tolist(),
    )
