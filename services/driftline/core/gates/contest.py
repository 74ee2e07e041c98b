"""Which challenger has proven itself better than what is deployed? One fold over a model's labels.

A test begins with each change of lineage and with each error incident that opens, whichever is
later; nothing else begins one (on autocorrelated streams equal models were promoted time and again
by tests that began anew at every alarm). Each spends a smaller share of alpha.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from driftline.core.gates.gate import Gate, Judgement
from driftline.core.gates.pairs import Pair, PairedResults, PairPolicy

EVERY: Final = 25  # labels between two evaluations
MAX_VERSIONS: Final = 5_000  # the newest deployed versions whose lineage is known


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The gate's verdict on a challenger. `number` is the version to deploy, None before 100 pairs;
    `since` (ms), `test` and `rivals` say which test it was; `is_new`: another verdict than last."""

    challenger: str
    judgement: Judgement
    number: int | None
    since: int
    test: int
    rivals: int
    is_new: bool


@dataclass(slots=True)
class Contest:
    """The challengers of one model. `lineages` holds the lineage of each version that was deployed;
    with none deployed, the model is served outside and all its versions are one lineage."""

    gate: Gate
    policy: PairPolicy
    since: int = -1
    test: int = 1
    labels: int = 0
    now: int = 0
    champion: str | None = None
    _lineages: dict[str, str] = field(default_factory=dict)
    _results: dict[str, PairedResults] = field(default_factory=dict)
    _verdicts: dict[str, str] = field(default_factory=dict)

    @property
    def challengers(self) -> tuple[str, ...]:
        """Those that are in the contest."""
        return tuple(self._results)

    def is_in(self, challenger: str) -> bool:
        """Whether it is in the contest."""
        return challenger in self._results

    def enter(self, challenger: str) -> None:
        """From now on there are pairs of it; pairs of others that were counted still count."""
        self._results.setdefault(challenger, PairedResults(self.policy, self.since))

    def leave(self, challenger: str) -> None:
        """It is a challenger no more."""
        self._results.pop(challenger, None)
        self._verdicts.pop(challenger, None)

    def deployed(self, version: str, lineage: str, at: int) -> None:
        """Another version serves since `at` (ms, append time of the control record)."""
        self._lineages.pop(version, None)
        self._lineages[version] = lineage
        if len(self._lineages) > MAX_VERSIONS:
            del self._lineages[next(iter(self._lineages))]
        previous, self.champion = self.champion, lineage
        self.leave(lineage)
        if previous is not None and previous != lineage:
            self.restart(at)

    def restart(self, since: int) -> None:
        """A new test, of predictions made after `since` (ms): an error incident opened, too."""
        self.since = max(since, self.since)
        self.test += 1
        self._results = {name: PairedResults(self.policy, self.since) for name in self._results}
        self._verdicts.clear()

    def judge_by(self, gate: Gate, policy: PairPolicy, since: int) -> None:
        """Another gate is in force since `since` (ms); one of another policy begins a new test."""
        self.gate = gate
        if policy != self.policy:
            self.policy = policy
            self.restart(since)

    def counts(self, model_version: str) -> bool:
        """Whether a prediction by this version is one of what is deployed."""
        return self.champion is None or self._lineages.get(model_version) == self.champion

    def add(self, challenger: str, pair: Pair) -> None:
        """A pair of a prediction that counts. Raises KeyError for who is not in the contest."""
        self._results[challenger].add(pair)

    @property
    def is_evaluated(self) -> bool:
        """Whether the last label was one after which verdicts are given."""
        return self.labels % EVERY == 0

    def labelled(self, label_ts: int) -> list[Evaluation]:
        """After each label, its pairs added: all verdicts at every 25th, else none."""
        self.labels += 1
        self.now = max(self.now, label_ts)
        if self.labels % EVERY:
            return []
        return [self._evaluate(challenger) for challenger in self._results]

    def _evaluate(self, challenger: str) -> Evaluation:
        results, rivals = self._results[challenger], len(self._results)
        judgement = self.gate.judge(results.gains(self.now), test=self.test, rivals=rivals)
        is_new = self._verdicts.get(challenger) != judgement.verdict
        self._verdicts[challenger] = judgement.verdict
        number = results.proven_version()
        return Evaluation(challenger, judgement, number, self.since, self.test, rivals, is_new)

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {
            "test": [self.since, self.test, self.labels, self.now, self.champion],
            "lineages": dict(self._lineages),
            "results": [[name, results.snapshot()] for name, results in self._results.items()],
            "verdicts": dict(self._verdicts),
        }

    @classmethod
    def restore(cls, gate: Gate, policy: PairPolicy, snapshot: Mapping[str, Any]) -> Self:
        """The state that `snapshot` gave."""
        since, test, labels, now, champion = snapshot["test"]
        return cls(
            gate,
            policy,
            since,
            test,
            labels,
            now,
            champion,
            dict(snapshot["lineages"]),
            {name: PairedResults.restore(policy, rows) for name, rows in snapshot["results"]},
            dict(snapshot["verdicts"]),
        )
