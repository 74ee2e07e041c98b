"""What becomes of the gate's verdicts: which go to the registry, and how often?

One that is new, and again every 500 labels while it stays. A promotion that was judged against a
deployment which was replaced meanwhile (the champion follows its own versions), or of a version
that may have failed on the test set while there is a newer one, is given again, at first after 25
labels, then less and less often. All others are figures.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

from driftline.core.gates.contest import EVERY, Contest, Evaluation
from driftline.core.learning.outcomes import GateDecided, Judged, gate_numbers, metric
from driftline.core.learning.roster import Place, Roster
from driftline.core.learning.versions import Version
from driftline_schemas.control import DeployedBody
from driftline_schemas.registry import GateEvaluated, LearningMetric

AGAIN: Final = 500  # labels
OUTSIDE: Final = "served outside"  # the champion where nothing of ours serves


class Sent(NamedTuple):
    """The last verdict that was sent: after how many labels, against which deployment, after how
    many labels more it may be given again because that was replaced; and what was tried, if there
    is a test set that it may have failed."""

    verdict: str
    labels: int
    deployment_seq: int
    patience: int
    tried: str | None = None


@dataclass(slots=True)
class SentVerdicts:
    """By challenger."""

    _sent: dict[str, Sent] = field(default_factory=dict)

    def is_due(
        self,
        evaluation: Evaluation,
        labels: int,
        deployment_seq: int,
        tried: str | None = None,
    ) -> bool:
        """Whether to send this verdict now; then it counts as sent. `tried`: the version, where
        there is a test set."""
        name, verdict = evaluation.challenger, evaluation.judgement.verdict
        last = self._sent.get(name)
        if last is None or evaluation.is_new or labels - last.labels >= AGAIN:
            self._sent[name] = Sent(verdict, labels, deployment_seq, EVERY, tried)
            return True
        now = deployment_seq, tried
        is_stale = verdict == "promote" and (last.deployment_seq, last.tried) != now
        if is_stale and labels - last.labels >= last.patience:
            patience = min(2 * last.patience, AGAIN)
            self._sent[name] = Sent(verdict, labels, deployment_seq, patience, tried)
            return True
        return False

    def forget(self, challenger: str) -> None:
        """It is none any more."""
        self._sent.pop(challenger, None)

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {name: list(sent) for name, sent in self._sent.items()}

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> Self:
        """The state that `snapshot` gave."""
        return cls({name: Sent(*sent) for name, sent in snapshot.items()})


@dataclass(frozen=True, slots=True)
class Bar:
    """Before whom the verdicts are given: the lineages, the contest, and what is deployed."""

    roster: Roster
    contest: Contest
    deployed: DeployedBody | None

    @property
    def is_outside(self) -> bool:
        """Nothing of ours serves, nor is to."""
        return self.deployed is None and self.roster.spec.champion is None

    @property
    def seq(self) -> int:
        """The sequence of the deployment; 0 before the first."""
        return self.deployed.deployment_seq if self.deployed else 0


def heard(
    evaluations: Sequence[Evaluation], bar: Bar, sent: SentVerdicts, place: Place
) -> Iterator[GateDecided | LearningMetric]:
    """What others hear of these verdicts.

    Of several that are proven at once the best is promoted: the next deployment would make the
    verdicts on the others stale.
    """
    proven = [e for e in evaluations if e.judgement.verdict == "promote"]
    proven = [] if bar.is_outside else sorted(proven, key=_gain, reverse=True)
    for evaluation in evaluations:
        version = _to_deploy(evaluation, bar.roster)
        is_best = bool(proven) and evaluation is proven[0]
        if version is None or not (is_best or evaluation.judgement.verdict == "reject"):
            yield _undecided(evaluation, bar, place)
            continue
        fixed_set = bar.roster.fixed_set if is_best else None
        tried = version.version_id if fixed_set else None
        if sent.is_due(evaluation, place.labels, bar.seq, tried):
            judged = _judged(evaluation, version, bar)
            others = list(_all_judged(proven[1:], bar)) if fixed_set else []
            yield GateDecided(judged, place.offset, fixed_set, others)


def _gain(evaluation: Evaluation) -> float:
    return evaluation.judgement.gains.mean


def _to_deploy(evaluation: Evaluation, roster: Roster) -> Version | None:
    """The proven version, or the newest kept one before it."""
    shelf = roster.entrants[evaluation.challenger].lineage.shelf
    if evaluation.number is None:
        return shelf.newest if evaluation.judgement.verdict == "reject" else None
    found = next(iter(shelf))
    for version in shelf:
        if version.number <= evaluation.number:
            found = version
    return found


def _all_judged(evaluations: Sequence[Evaluation], bar: Bar) -> Iterator[Judged]:
    for evaluation in evaluations:
        if (version := _to_deploy(evaluation, bar.roster)) is not None:
            yield _judged(evaluation, version, bar)


def _judged(evaluation: Evaluation, version: Version, bar: Bar) -> Judged:
    payload = bar.roster.entrants[evaluation.challenger].lineage.payload(version)
    return Judged(_evaluated(evaluation, version, bar), version, payload)


def _undecided(evaluation: Evaluation, bar: Bar, place: Place) -> LearningMetric:
    return metric(
        "gate", bar.roster.model, evaluation.challenger, place.offset, place.labels,
        gate_numbers(evaluation), verdict=evaluation.judgement.verdict,
    )  # fmt: skip


def _evaluated(evaluation: Evaluation, version: Version, bar: Bar) -> GateEvaluated:
    judgement, gate, spec = evaluation.judgement, bar.contest.gate, bar.roster.spec
    return GateEvaluated(
        model=bar.roster.model,
        deployment_seq=bar.seq,
        champion=bar.deployed.lineage if bar.deployed else OUTSIDE,
        challenger=evaluation.challenger,
        version_id=version.version_id,
        since=max(evaluation.since, 0),
        j=evaluation.test,
        k=evaluation.rivals,
        n=judgement.gains.n,
        blocks=judgement.gains.blocks,
        metric="scaled_error" if spec.task == "regression" else "accuracy",
        mean=judgement.gains.mean,
        variance=judgement.gains.variance,
        r=gate.tightest_near,
        alpha=judgement.alpha,
        lower=judgement.lower,
        upper=judgement.upper,
        least_gain=gate.least_gain,
        verdict=judgement.verdict,
    )
