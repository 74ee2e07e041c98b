"""Which labels find no prediction, and why? Do those that find one speak of the same classes?"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from driftline.cli.alerts import age
from driftline.cli.checks.evidence import Evidence, Sampled
from driftline.cli.checks.finding import Finding, error, warning

CHECK = "labels"
YOUNG_MS: Final = 60_000  # the prediction of so young a label may still come
LEAST: Final = 3  # labels that are worth a word
SHARE: Final = 0.01  # of a model's labels that are worth a word
MOST: Final = 0.5  # from here on it is an error
ENOUGH: Final = 20  # predictions and labels of a model before their classes are compared

Why = Literal["wrong_model", "too_late", "refused", "other_ids"]


class Half(NamedTuple):
    """A prediction or a label: its model, id and append time (ms)."""

    model: str
    prediction_id: str
    at: int
    partition: int
    is_expired: bool = False  # the joiner has given it up


class Fate(NamedTuple):
    """Why a label has no partner; `detail` is the other model, or how late (ms), or the reason."""

    why: Why
    detail: str | int


def check(seen: Evidence) -> Iterator[Finding]:
    """By model and reason; and models whose labels never come."""
    labels, known = _labels(seen), _predictions(seen)
    refused = {str(letter.body.get("prediction_id")): letter.told.reason for letter in seen.letters
               if "predictions" in letter.told.topic}  # fmt: skip
    fates: dict[tuple[str, Why], list[tuple[Half, Fate]]] = {}
    for label in labels:
        if (fate := fate_of(label, known.get(label.prediction_id, ()), refused, seen)) is not None:
            fates.setdefault((label.model, fate.why), []).append((label, fate))
    totals = Counter(label.model for label in labels)
    for (model, why), cases in fates.items():
        share = len(cases) / totals[model]
        if len(cases) >= LEAST and share >= SHARE:
            severity = error if share >= MOST else warning
            what, mend = _sentences(seen, model, why, cases, totals[model])
            yield severity(CHECK, what, mend)
    mistaken = {str(fate.detail) for cases in fates.values() for _, fate in cases
                if fate.why == "wrong_model"}  # fmt: skip
    yield from _never(seen, {*totals, *mistaken})
    yield from _without_a_common_class(seen)


def told(seen: Evidence) -> str:
    """When all is well."""
    if not seen.labels:
        return "none came yet"
    return f"the {len(seen.labels):,} newest find their predictions, as far as can be seen"


def fate_of(
    label: Half, partners: Sequence[Half], refused: Mapping[str, str], seen: Evidence
) -> Fate | None:
    """Why it finds no prediction; None if it does, or if that cannot be known."""
    same = [abs(label.at - half.at) for half in partners if half.model == label.model]
    if same:
        nearest = min(same)
        return Fate("too_late", nearest) if nearest > seen.horizon_ms else None
    if partners:
        return Fate("wrong_model", partners[0].model)
    if label.prediction_id in refused:
        return Fate("refused", refused[label.prediction_id])
    if label.is_expired:
        return Fate("other_ids", "")
    searched = seen.searched_since.get(label.partition)
    was_searched = searched is not None and searched <= label.at - seen.horizon_ms
    is_young = seen.now - label.at < YOUNG_MS
    return Fate("other_ids", "") if was_searched and not is_young else None


def _labels(seen: Evidence) -> list[Half]:
    """Those of the sample, and those that the joiner gave up; each once."""
    found = {(each.partition, each.offset):
             Half(each.model, each.prediction_id, each.at, each.partition)
             for each in seen.labels}  # fmt: skip
    for each in seen.unmatched:
        if each.reason == "no_prediction":
            partition, _ = each.source_tp
            half = Half(each.model, each.prediction_id, each.source_ts, partition, True)
            found[each.source_tp] = half
    return list(found.values())


def _predictions(seen: Evidence) -> dict[str, list[Half]]:
    found: dict[str, list[Half]] = {}
    for each in seen.predictions:
        half = Half(each.model, each.prediction_id, each.at, each.partition)
        found.setdefault(each.prediction_id, []).append(half)
    for gone in seen.unmatched:
        if gone.reason == "no_label":
            half = Half(gone.model, gone.prediction_id, gone.source_ts, gone.source_tp[0], True)
            found.setdefault(gone.prediction_id, []).append(half)
    return found


def _sentences(
    seen: Evidence, model: str, why: Why, cases: Sequence[tuple[Half, Fate]], total: int
) -> tuple[str, str]:
    label, fate = cases[-1]
    n = f"{len(cases):,} of {total:,} labels of model {model!r}"
    if why == "wrong_model":
        ((other, _),) = Counter(str(fate.detail) for _, fate in cases).most_common(1)
        what = (
            f"{n} name another model than their predictions, which say {other!r} (for example"
            f" {label.prediction_id})."
        )
        return what, f"Let the label source write model {other!r}."
    if why == "too_late":
        late = max(int(fate.detail) for _, fate in cases)
        what = (
            f"{n} come too late: up to {age(late)} after their prediction, and the label horizon"
            f" is {age(seen.horizon_ms)}."
        )
        mend = (
            "Bring labels sooner, or set up an installation with a longer DRIFTLINE_LABEL_HORIZON"
            " (it is fixed for life)."
        )
        return what, mend
    if why == "refused":
        what = (
            f"{n} find no prediction because it was refused: {fate.detail} (for example"
            f" {label.prediction_id})."
        )
        return what, f"See `driftline deadletters list --topic predictions --reason {fate.detail}`."
    other_id = next((p.prediction_id for p in seen.predictions if p.model == model), None)
    looks = f"; predictions say {other_id}" if other_id else "; the model has no predictions"
    what = f"{n} carry an id that no prediction has (for example {label.prediction_id}{looks})."
    return what, "Let the label source write the prediction_id that the app logged."


def _without_a_common_class(seen: Evidence) -> Iterator[Finding]:
    """One side writes `true`, the other `1`: every prediction counts as wrong."""
    predicted, labelled = _classes(seen.predictions), _classes(seen.labels)
    for model in predicted.keys() & labelled.keys():
        ours, theirs = predicted[model], labelled[model]
        enough = min(ours.total(), theirs.total()) >= ENOUGH
        # One class on each side may be chance: a model that never warns, and labels of losses only.
        if enough and not ours.keys() & theirs.keys() and len(ours) + len(theirs) > 2:
            yield error(
                CHECK,
                f"Predictions and labels of model {model!r} share no class: predictions say"
                f" {_quoted(ours)}, labels {_quoted(theirs)}, so every prediction counts as wrong.",
                "Let app and label source write a class alike; with the SDK, log both as bool, or"
                " both as text.",
            )


def _classes(sample: Sequence[Sampled]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for each in sample:
        if each.said is not None:
            found.setdefault(each.model, Counter())[each.said] += 1
    return found


def _quoted(classes: Counter[str]) -> str:
    return " and ".join(repr(name) for name, _ in classes.most_common(2))


def _never(seen: Evidence, have_labels: set[str]) -> Iterator[Finding]:
    gone = Counter(each.model for each in seen.unmatched if each.reason == "no_label")
    for model, n in gone.items():
        if model not in have_labels and n >= LEAST:
            yield warning(
                CHECK,
                f"No label of model {model!r} came: {n:,} of its newest predictions waited for the"
                f" whole label horizon of {age(seen.horizon_ms)}.",
                "Start its label source, or drop floors and gates from its spec.",
            )
