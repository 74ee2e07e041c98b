"""Which columns does a replay read, as the command line and the specification say?"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from driftline.cli.errors import CommandError
from driftline.cli.recorded_rows import Columns, guessed_kinds, labels_by_key
from driftline_schemas.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says. `labels` is a file; `asks`: a scorer makes the predictions."""

    prediction: str | None
    label: str | None
    labels: Path | None
    label_key: str | None
    predicted_at: str | None
    asks: bool


def columns_of(file: Path, spec: ModelSpec | None, wanted: Wanted) -> Columns:
    """The columns of the file by their role. CommandError: what is said does not go together."""
    reference = spec.reference if spec else None
    prediction = wanted.prediction
    if wanted.asks:
        _check_scorer(wanted)
    elif (prediction := prediction or (reference.prediction if reference else None)) is None:
        raise CommandError("Where do the predictions come from? Give --prediction or --scorer.")
    label = wanted.label or (reference.label if reference else None)
    if (wanted.labels is None) is not (wanted.label_key is None):
        raise CommandError("Labels in a file of their own need both --labels and --label-key.")
    if wanted.labels is not None and label is None:
        raise CommandError(f"Which column of {wanted.labels} is the label? Give --label.")
    others = (prediction, label, wanted.label_key, wanted.predicted_at)
    return Columns(
        kinds={feature.name: feature.kind for feature in spec.features}
        if spec
        else guessed_kinds(file, list(filter(None, others))),
        prediction=prediction,
        label=label,
        task=spec.task if spec else "multiclass",
        key=wanted.label_key,
        predicted_at=wanted.predicted_at,
    )


def separate_labels(columns: Columns, labels: Path | None) -> Mapping[str, str] | None:
    """The labels of the other file by key; None if there is none."""
    if labels is None or columns.key is None or columns.label is None:
        return None
    return labels_by_key(labels, columns.key, columns.label)


def _check_scorer(wanted: Wanted) -> None:
    if wanted.prediction is not None:
        raise CommandError("Predictions come from a column or from a scorer: give one of both.")
    if wanted.predicted_at is not None:
        raise CommandError("A scorer predicts now: --predicted-at goes with --prediction only.")
