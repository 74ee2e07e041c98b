"""Is what the joiner wrote exactly what the inputs demand?"""

import hashlib
from base64 import b64decode
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from tests.verifier.envelope import Json
from tests.verifier.joining import Rules
from tests.verifier.murmur import partition_for
from tests.verifier.observe import MarkSeen, Observed, observe
from tests.verifier.reading import Logs, Record, read_logs
from tests.verifier.recompute import (
    Alone,
    CountsAt,
    Dead,
    Expected,
    Source,
    Tally,
    expected_correction,
    expected_joined,
    recompute,
)
from tests.verifier.times import millis, rfc3339

K = TypeVar("K")
E = TypeVar("E")
G = TypeVar("G")
KEPT_BYTES = 256 * 1024
MARK_SLACK_MS = 2000  # an idle partition's mark is the clock, and a record may be on its way
SHOWN = 5


@dataclass(slots=True)
class Comparison:
    """One kind of output: how it should be against how it is."""

    kind: str
    expected: int = 0
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    ambiguous: int = 0  # differences that the logs do not decide

    @property
    def exact(self) -> bool:
        return not (self.missing or self.extra or self.different)

    def lines(self) -> list[str]:
        """One line of figures, then the first few differences."""
        figures = f"{self.kind:<14} {self.expected:>9,} expected  {self.ambiguous:>4,} ambiguous"
        shown = [figures]
        for name in ("missing", "extra", "different"):
            differences: list[str] = getattr(self, name)
            shown[0] += f"  {len(differences):>6,} {name}"
            shown += [f"    {name}: {entry}" for entry in differences[:SHOWN]]
            if len(differences) > SHOWN:
                shown.append(f"    {name}: ... and {len(differences) - SHOWN:,} more")
        return shown


@dataclass(slots=True)
class Report:
    """The verdict: `exact` when every output is as recomputed and no rule was broken."""

    joined: Comparison
    corrections: Comparison
    unmatched: Comparison
    dead_letters: Comparison
    counts: Comparison
    duplicates: dict[str, int]  # records on the wire beyond the first, by kind; allowed
    violations: list[str]
    violation_count: int
    late_segments: int
    early_marks: int
    ambiguous_keys: int
    figures: dict[str, int]

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        return (self.joined, self.corrections, self.unmatched, self.dead_letters, self.counts)

    @property
    def exact(self) -> bool:
        return not self.violation_count and all(entry.exact for entry in self.comparisons)

    def __str__(self) -> str:
        lines = ["exact" if self.exact else "NOT EXACT", _figures("read", self.figures)]
        lines += [line for entry in self.comparisons for line in entry.lines()]
        lines.append(_figures("duplicates", self.duplicates))
        lines.append(
            f"late segments: {self.late_segments:,}; early marks: {self.early_marks:,}; "
            f"ambiguous keys: {self.ambiguous_keys:,}; broken rules: {self.violation_count:,}"
        )
        return "\n".join(lines + [f"    {entry}" for entry in self.violations[:SHOWN]])


def verify(
    brokers: str,
    prefix: str,
    *,
    horizon_ms: int,
    repeat_window_ms: int,
    pane_seconds: int,
    expect_unmatched_until: int | None = None,
) -> Report:
    """Reads all topics of a prefix from the start and compares.

    `expect_unmatched_until`: a clock (milliseconds) that the joiner has certainly seen; halves
    whose time was over by then must be reported also where their topics went quiet.
    """
    rules = Rules(horizon_ms, repeat_window_ms, pane_seconds * 1000)
    return verify_logs(read_logs(brokers, prefix), rules, clock=expect_unmatched_until)


def verify_logs(logs: Logs, rules: Rules, *, clock: int | None = None) -> Report:
    """The comparison itself, on records already read."""
    expected = recompute(logs, rules, clock=clock)
    observed = observe(logs, rules.pane_ms)
    return Report(
        joined=_joined(expected, observed),
        corrections=_corrections(expected, observed),
        unmatched=_unmatched(expected, observed),
        dead_letters=_dead_letters(expected, observed),
        counts=_counts(expected, observed),
        duplicates=dict(observed.duplicates),
        violations=observed.violations,
        violation_count=observed.violation_count,
        late_segments=observed.late_segments,
        early_marks=sum(_is_early(mark, expected, logs) for mark in observed.marks),
        ambiguous_keys=len(expected.ambiguous.keys),
        figures=dict(expected.figures),
    )


def _compare(
    kind: str,
    expected: Mapping[K, E],
    observed: Mapping[K, G],
    differs: Callable[[K, E, G], str],
    ambiguous: Iterable[K],
) -> Comparison:
    result = Comparison(kind, len(expected))
    undecided = set(ambiguous)
    for identity, wanted in expected.items():
        if identity not in observed:
            _note(result, result.missing, identity in undecided, f"{identity}")
        elif difference := differs(identity, wanted, observed[identity]):
            text = f"{identity}: {difference}"
            _note(result, result.different, identity in undecided, text)
    for identity in observed.keys() - expected.keys():
        _note(result, result.extra, identity in undecided, f"{identity}")
    return result


def _note(result: Comparison, differences: list[str], undecided: bool, text: str) -> None:
    if undecided:
        result.ambiguous += 1
    else:
        differences.append(text)


def _joined(expected: Expected, observed: Observed) -> Comparison:
    return _compare(
        "joined",
        expected.joined,
        observed.joined,
        lambda _, pair, record: _difference(expected_joined(*pair), _document(record)),
        expected.ambiguous.labels,
    )


def _corrections(expected: Expected, observed: Observed) -> Comparison:
    def differs(_: object, wanted: Any, record: Record) -> str:
        document = _document(record)
        document["predicted_at"] = millis(document["predicted_at"])
        return _difference(expected_correction(wanted), document)

    return _compare(
        "corrections",
        expected.corrections,
        observed.corrections,
        differs,
        expected.ambiguous.labels,
    )


def _unmatched(expected: Expected, observed: Observed) -> Comparison:
    due = {source: half for source, half in expected.alone.items() if half.due}
    # What is not due by the logs' own times may have been given up by the joiner's clock.
    early = {
        source: half
        for source, half in expected.alone.items()
        if source in observed.unmatched
        and source not in due
        and observed.unmatched[source].timestamp >= half.half.at + expected.rules.horizon_ms
    }
    result = _compare(
        "unmatched",
        due | early,
        observed.unmatched,
        lambda source, half, record: _difference(_alone(source, half), _document(record)),
        expected.ambiguous.sources,
    )
    joined = {("no_label", *prediction.tp) for prediction, _ in expected.joined.values()}
    joined |= {("no_prediction", *label.tp) for _, label in expected.joined.values()}
    by_name = {f"{source}": source in joined for source in observed.unmatched}
    result.extra = [f"{name} (joins)" if by_name[name] else name for name in result.extra]
    return result


def _alone(source: Source, half: Alone) -> Json:
    return {
        "model": half.model,
        "prediction_id": half.prediction_id,
        "reason": source[0],
        "source_tp": list(half.half.tp),
        "source_ts": rfc3339(half.half.at),
    }


def _dead_letters(expected: Expected, observed: Observed) -> Comparison:
    def differs(_: object, wanted: Dead, record: Record) -> str:
        document = _document(record)
        if document["reason"] not in wanted.reasons:
            return f"reason {document['reason']}, not {' or '.join(sorted(wanted.reasons))}"
        return _difference(_bytes_of(wanted.record), _bytes_told(document))

    return _compare("dead letters", expected.dead_letters, observed.dead_letters, differs, ())


def _bytes_of(record: Record) -> Json:
    value = record.value or b""
    return {
        "sha256": hashlib.sha256(value).hexdigest(),
        "length": len(value),
        "value": value[:KEPT_BYTES].hex()[:200],
        "kept": len(value[:KEPT_BYTES]),
    }


def _bytes_told(document: Json) -> Json:
    value = b64decode(document.get("value") or "", validate=True)
    return {
        "sha256": document["sha256"],
        "length": document["length"],
        "value": value.hex()[:200],
        "kept": len(value),
    }


def _counts(expected: Expected, observed: Observed) -> Comparison:
    leeway = expected.ambiguous.counts
    return _compare(
        "counts",
        expected.counts,
        observed.counts,
        lambda at, wanted, got: _tallies_differ(at, wanted, got, leeway.get(at, 0)),
        {at for at, tally in expected.counts.items() if tally.n <= leeway.get(at, 0)}
        | (leeway.keys() - expected.counts.keys()),
    )


def _tallies_differ(at: CountsAt, wanted: Tally, got: Tally, leeway: int) -> str:
    if leeway and abs(wanted.n - got.n) <= leeway:
        return ""
    if wanted.n != got.n or wanted.skewed != got.skewed:
        return f"n {got.n} skewed {got.skewed}, not {wanted.n} and {wanted.skewed}"
    if wanted.prediction_counts != got.prediction_counts:
        return f"prediction_counts {got.prediction_counts}, not {wanted.prediction_counts}"
    return _difference(wanted.counts, got.counts)


def _is_early(mark: MarkSeen, expected: Expected, logs: Logs) -> bool:
    """Whether predictions from before the mark's time had not been counted ahead of the mark."""
    return any(
        mark.counted.get(model, 0) < bisect_left(times, mark.time - MARK_SLACK_MS)
        for (model, partition), times in expected.counted_at.items()
        if partition == mark.partition
        and partition_for(model.encode(), logs.journal_partitions) == mark.journal_partition
    )


def _document(record: Record) -> Json:
    document: Json = orjson.loads(record.value or b"")
    return document


def _difference(wanted: Mapping[str, Any], got: Mapping[str, Any]) -> str:
    """The fields in which two documents differ; empty when they are the same JSON."""
    if _canonical(wanted) == _canonical(got):
        return ""
    names = sorted(
        name
        for name in wanted.keys() | got.keys()
        if (name in wanted) != (name in got) or _canonical(wanted[name]) != _canonical(got[name])
    )
    told = (f"{name} {got.get(name)!r:.60}, not {wanted.get(name)!r:.60}" for name in names[:3])
    return f"{len(names)} fields: " + "; ".join(told)


def _canonical(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _figures(title: str, figures: Mapping[str, int]) -> str:
    entries = (f"{name} {number:,}" for name, number in sorted(figures.items()))
    return f"{title}: " + (", ".join(entries) or "none")
