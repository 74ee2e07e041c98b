"""A model of the verifier's traffic, and what an offline recomputation says of the topics."""

import csv
from time import sleep

from driftline.cli.apply import apply_spec, make_bins
from driftline.cli.spec_file import load_spec
from tests.integration.installation import Installation
from tests.verifier.compare import Report, verify
from tests.verifier.traffic import Model, reference_rows
from tests.waiting import until

COUNTED_SECONDS = 6  # the last counts are sent within a pane, on a busy machine later


def apply_model(made: Installation, model: Model, shift: float = 0.0) -> None:
    """Apply a specification with a reference of 2,000 rows; `shift` makes the traffic drift."""
    kinds = model.kinds()
    rows = reference_rows(model, seed=7, rows=2_000)
    with (made.folder / f"{model.name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*kinds, "prediction", "label"])
        writer.writeheader()
        writer.writerows([{k: _cell(v, shift) for k, v in row.items()} for row in rows])
    spec = made.folder / f"{model.name}.yaml"
    features = "".join(f"  - {{name: {name}, kind: {kind}}}\n" for name, kind in kinds.items())
    spec.write_text(
        f"model: {model.name}\ntask: multiclass\nfeatures:\n{features}"
        f"reference: {{file: {model.name}.csv, label: label, prediction: prediction}}\n"
    )
    wanted = load_spec(spec)
    apply_spec(
        made.settings, wanted, make_bins(spec, wanted), actor="test", reason="test", agreed=True
    )


def _cell(value: object, shift: float) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return value + shift
    return "" if value is None else value


def report(made: Installation, horizon_seconds: int) -> Report:
    """The verifier's answer once everything is read, counted and told."""
    found: list[Report] = []

    def exact() -> Report | None:
        sleep(COUNTED_SECONDS)
        found[:] = [
            verify(
                made.servers.brokers,
                made.prefix,
                horizon_ms=horizon_seconds * 1_000,
                repeat_window_ms=3_600_000,
                pane_seconds=5,
            )
        ]
        return found[0] if found[0].exact else None

    made.wait_for_lag("joiner")
    return until(exact, lambda: str(found[0]), pause=0)
