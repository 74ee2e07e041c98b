"""Make bins and reference counts from the rows that say what is normal. Pure: rows are given."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from driftline.core.drift.bins import (
    BooleanBins,
    CategoricalBins,
    FeatureBins,
    NumericBins,
    categorical_bins,
    numeric_bins,
)
from driftline.core.recorded_values import feature_value, output_value
from driftline_schemas.codec import content_hash, encode
from driftline_schemas.control import Bins, BinsBody
from driftline_schemas.spec import FeatureKind, ModelSpec, Task

MAX_BODY_BYTES: Final = 900_000


class UnusableReferenceError(ValueError):
    """No bins can be made of these rows; the message is one sentence."""


def reference_columns(spec: ModelSpec) -> list[str]:
    """The columns that the reference file must have."""
    columns = [feature.name for feature in spec.features]
    if spec.reference:
        outputs = (spec.reference.prediction, spec.reference.label)
        columns += [column for column in outputs if column and column not in columns]
    return columns


def reference_bins(
    spec: ModelSpec, rows: Iterable[Mapping[str, str]], *, effective_from: int
) -> BinsBody:
    """The bins of a spec's features (and of its predictions, if the rows have them).

    Rows map column to text. `bins_id` depends on bins and counts only, not on `effective_from`
    (ms). UnusableReferenceError: no rows, or more categories than a record can list.
    """
    columns: dict[str, list[str]] = {name: [] for name in reference_columns(spec)}
    for row in rows:
        for name, values in columns.items():
            values.append(row[name])
    features = {f.name: _feature_bins(f.kind, columns[f.name]) for f in spec.features}
    prediction = None
    if spec.reference and spec.reference.prediction:
        prediction = _prediction_bins(spec.task, columns[spec.reference.prediction])
    n = len(columns[spec.features[0].name])
    if n == 0:
        raise UnusableReferenceError("the reference has no rows")
    return _bounded(_identified(features, prediction, n, effective_from))


def bins_of(bins: Bins) -> FeatureBins:
    """The counting rule that a published `Bins` describes."""
    if bins.kind == "numeric":
        return NumericBins(tuple(bins.edges or ()))
    if bins.kind == "boolean":
        return BooleanBins()
    return CategoricalBins(tuple(bins.categories or ()))


def _feature_bins(kind: FeatureKind, texts: list[str]) -> Bins:
    values = [feature_value(kind, text) for text in texts]
    if kind == "numeric":
        return _described(kind, numeric_bins(values), values)
    rule = BooleanBins() if kind == "boolean" else categorical_bins(values)
    return _described(kind, rule, values)


def _prediction_bins(task: Task, texts: list[str]) -> Bins:
    values = [output_value(task, text) if text else None for text in texts]
    if task == "regression":
        return _described("numeric", numeric_bins(values), values)
    return _described("categorical", categorical_bins(values), values)


def _described(kind: FeatureKind, rule: FeatureBins, values: Sequence[object]) -> Bins:
    return Bins(
        kind=kind,
        edges=list(rule.edges) if isinstance(rule, NumericBins) else None,
        categories=list(rule.categories) if isinstance(rule, CategoricalBins) else None,
        reference=[int(count) for count in rule.count(values)],
    )


def _identified(
    features: dict[str, Bins], prediction: Bins | None, n: int, effective_from: int
) -> BinsBody:
    described = {name: bins.model_dump(exclude_none=True) for name, bins in features.items()}
    parts = {
        "features": described,
        "prediction": prediction and prediction.model_dump(exclude_none=True),
        "n": n,
    }
    return BinsBody(
        bins_id=content_hash(parts),
        effective_from=effective_from,
        features=features,
        prediction=prediction,
        n=n,
    )


def _bounded(body: BinsBody) -> BinsBody:
    if (size := len(encode(body))) <= MAX_BODY_BYTES:
        return body
    largest = max(body.features, key=lambda name: len(encode(body.features[name])))
    raise UnusableReferenceError(
        f"the bins take {size:,} bytes, over the limit of {MAX_BODY_BYTES:,}: leave out features"
        f" with long category names, such as {largest!r}"
    )
