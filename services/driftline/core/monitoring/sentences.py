"""What an alert says, in one sentence with its numbers."""

from collections.abc import Sequence
from typing import Final

from driftline.core.drift import error_incident
from driftline.core.monitoring.error_reading import Reading
from driftline_schemas.alerts import Cause, Check
from driftline_schemas.spec import Floor

NAMED: Final = 3  # features that a sentence names; all of them are in the cause
UNITS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))


def features_drifted(causes: Sequence[Cause], features: int, n: int, reference: str) -> str:
    """Features differ from the reference."""
    said = f"{len(causes)} of {features} features drifted from {reference} over {n} predictions"
    return f"{said}: {_named(causes)}"


def features_are_back(causes: Sequence[Cause], n: int, reference: str) -> str:
    """A block was clean."""
    return f"no feature differs from {reference} over {n} predictions; drifted: {_named(causes)}"


def error_rose(opened: error_incident.Opened, reading: Reading, lineage: str | None) -> str:
    """The detector fired on an error of this lineage. A slight rise may not show in the digits."""
    before, since = reading.text(opened.before), reading.text(opened.value)
    if before == since or opened.value > opened.before:
        said = f"{reading.errors_rose}: {reading.name} {since}"
    else:
        said = f"{reading.name} {reading.worsened} from {before} to {since}"
    said += f" over the last {opened.n} labels{reading.aside}"
    return said + (f"; {lineage} served" if lineage else "")


def error_is_back(
    resolved: error_incident.Resolved, reading: Reading, margin: float, takeover: str | None
) -> str:
    """Recovered; the labels are those of predictions made since the opening."""
    said = (
        f"{reading.name} is back at {reading.text(resolved.value)} over the last {resolved.n}"
        f" labels ({reading.text(resolved.reference)} before the incident,"
        f" {reading.allowance(margin)})"
    )
    return said + reading.aside + (f", after {takeover}" if takeover else "")


def took_over(lineage: str | None, former: str | None) -> str | None:
    """Another lineage serves than when the incident opened."""
    if lineage is None or lineage == former:
        return None
    return f"{lineage} took over from {former}" if former else f"{lineage} took over"


def below_floor(accuracy: float, floor: Floor) -> str:
    """So many labels are there, and they are below."""
    said = f"threshold: {floor.metric} {accuracy:.4g} over the last {floor.over_labels} labels"
    return f"{said} lies below the floor of {floor.below:g} that the specification sets"


def floor_is_kept(accuracy: float, floor: Floor, steady: int) -> str:
    """The last `steady` labels found it at or above the floor."""
    said = f"threshold: {floor.metric} is back at {accuracy:.4g} over the last {floor.over_labels}"
    return f"{said} labels, and was not below the floor of {floor.below:g} for {steady} labels"


def floor_was_kept(accuracy: float, floor: Floor) -> str:
    """Corrections say that the labels that fired were not below."""
    said = f"threshold: as corrected, the {floor.over_labels} labels that opened this incident give"
    return f"{said} {floor.metric} {accuracy:.4g}, which is not below the floor of {floor.below:g}"


def silence(check: Check, silent_ms: int, within_ms: int) -> str:
    """Nothing has come for too long."""
    within = _lasting(within_ms)
    return f"{_missed(check)} for {_lasting(silent_ms)}; the specification expects some in {within}"


def silence_is_over(check: Check, silent_ms: int) -> str:
    """Something has come."""
    return f"{_missed(check).removeprefix('no ')} come again, after none for {_lasting(silent_ms)}"


def _missed(check: Check) -> str:
    return check.replace("_", " ")


def _lasting(milliseconds: int) -> str:
    """`1 d 2 h`, `5 min`, `2.5 s`: the two largest units, rounded down."""
    if milliseconds < 60_000:
        return f"{milliseconds / 1_000:g} s"
    said = []
    for size, unit in UNITS:
        number, milliseconds = divmod(milliseconds, size)
        if number:
            said.append(f"{number} {unit}")
    return " ".join(said[:2])


def _named(causes: Sequence[Cause]) -> str:
    named = ", ".join(f"{cause.feature} (effect {cause.effect:.2f})" for cause in causes[:NAMED])
    more = len(causes) - NAMED
    return f"{named} and {more} more" if more > 0 else named
