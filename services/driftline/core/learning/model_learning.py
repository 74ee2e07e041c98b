"""What do the pipelines of one model learn from its journal, and what is to be made known of it?

A fold: the same records and the same files give the same versions, verdicts and figures, wherever
it was cut, saved and restored.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from driftline.core.gates.contest import Contest
from driftline.core.learning.bench import Bench, gate_of, pairs_of
from driftline.core.learning.entrants import Entrant
from driftline.core.learning.hours import HourIndex
from driftline.core.learning.jobs import Finished, Jobs
from driftline.core.learning.labelled import Labelled
from driftline.core.learning.lineage import Example
from driftline.core.learning.materials import Failure, ModelNeed, Need
from driftline.core.learning.outcomes import IncidentStepped, Outcome
from driftline.core.learning.plans import plans_of
from driftline.core.learning.roster import Place, Roster
from driftline.core.learning.surroundings import Surroundings
from driftline.core.learning.verdicts import Bar, SentVerdicts, heard
from driftline.core.learning.versions import Version
from driftline.core.monitoring.identities import LabelIdentities
from driftline_schemas.control import (
    Control,
    DeployedBody,
    DeployedControl,
    RetrainControl,
    ScheduleControl,
    SpecBody,
    SpecControl,
)
from driftline_schemas.journal import Joined

BROKEN_EVERY: Final = 500  # labels between two words about a pipeline that never began


@dataclass(slots=True)
class ModelLearning:
    """One model. `next` is the offset up to which it holds the journal; `conflicts` counts numbers
    where the spec says class, or the reverse, since it was made or restored."""

    model: str
    around: Surroundings
    next: int = 0
    seen: int = 0  # time (ms) of its last record
    labels: int = 0
    conflicts: int = 0
    seqs: dict[str, int] = field(default_factory=dict)  # highest fact, by action
    identities: LabelIdentities = field(default_factory=LabelIdentities)
    bench: Bench | None = None  # with the first specification
    deployed: DeployedBody | None = None
    roster: Roster = field(init=False)
    jobs: Jobs = field(init=False)
    _sent: SentVerdicts = field(default_factory=SentVerdicts)
    _serving: tuple[Version, bytes] | None = None  # of the lineage that is deployed

    def __post_init__(self) -> None:
        self.roster = Roster(self.model, self.around)
        self.jobs = Jobs(self.model, self.around, HourIndex(self.around.policy.horizon_ms))

    def _note(self, offset: int, time: int) -> None:
        self.seen = time
        self.jobs.hours.note(time, offset)

    # What a label says.

    def joined(self, offset: int, time: int, record: Joined | Labelled) -> list[Outcome]:
        """A prediction got its label: judge, then learn."""
        self._note(offset, time)
        if not self.identities.is_new(record.label_tp):
            return []
        if self.bench is None or not (self.roster.entrants or self.roster.broken):
            return []
        if self.bench.is_conflict(record):
            self.conflicts += 1
            return []
        self.labels += 1
        return self._learned(self.bench, Place(offset, time, self.labels), record)

    def _learned(self, bench: Bench, place: Place, record: Joined | Labelled) -> list[Outcome]:
        contest, roster = bench.contest, self.roster
        outcomes: list[Outcome] = [*roster.upgraded()]
        error, incident = bench.served(record)
        if incident is not None:
            outcomes.append(IncidentStepped(self.model, place.offset, incident))
        made = self._step(bench, place.offset, record, error)
        # Verdicts go first: a version that the champion follows would make them stale.
        if evaluations := contest.labelled(record.label_ts):
            bar = Bar(roster, contest, self.deployed)
            outcomes += heard(evaluations, bar, self._sent, place)
        for entrant, version in made:
            outcomes.append(roster.registered(entrant, version))
        if contest.is_evaluated:
            outcomes += roster.figures(place)
        if self.labels % BROKEN_EVERY == 0:
            outcomes += [roster.says_broken(*told, place) for told in roster.broken.items()]
        return outcomes

    def _step(
        self, bench: Bench, offset: int, record: Joined | Labelled, error: float | None
    ) -> list[tuple[Entrant, Version]]:
        counts = error is not None and self._counts(bench.contest, record.model_version)
        features = self.roster.schema.canonical(record.features)
        asked_at = min(record.predicted_at, record.prediction_ts)
        example = Example(offset, features, record.label, asked_at, record.label_ts)
        made = []
        for name, entrant in self.roster.entrants.items():
            score, version = entrant.lineage.step(example)
            if error is not None and counts and score and bench.contest.is_in(name):
                bench.pair(name, score, error, record, offset)
            if version is not None:
                made.append((entrant, version))
        return made

    def _counts(self, contest: Contest, model_version: str) -> bool:
        """Before the first deployment of a champion nothing serves that others are judged by."""
        if contest.champion is None and self.roster.spec.champion is not None:
            return False
        return contest.counts(model_version)

    # What the registry decided.

    def control(self, offset: int, time: int, record: Control) -> list[Outcome]:
        """One whose fact is not newer than the last of its kind was told before."""
        self._note(offset, time)
        if record.seq <= self.seqs.get(record.action, -1):
            return []
        self.seqs[record.action] = record.seq
        outcomes: list[Outcome] = [*self.roster.upgraded()]
        match record:
            case SpecControl():
                outcomes += self._apply_spec(Place(offset, time, self.labels), record)
            case DeployedControl():
                outcomes += self._deploy(time, record.body)
            case RetrainControl() | ScheduleControl():
                plan = self.roster.plans.get(record.body.pipeline or "")
                if plan is not None:
                    self.jobs.ask(plan, offset, time, record)
        return outcomes

    def _apply_spec(self, place: Place, record: SpecControl) -> list[Outcome]:
        before = self.roster.body
        outcomes: list[Outcome] = [*self.roster.renew(record.body, record.seq, place)]
        self.jobs.open = [job for job in self.jobs.open if self.roster.is_unchanged(job.plan)]
        self._align(self._judge_by(before, record.body, place.time))
        return outcomes

    def _judge_by(self, before: SpecBody | None, now: SpecBody, time: int) -> Bench:
        """Another specification, another error incident, as the monitor has it."""
        gate, policy = gate_of(now.spec.gate), pairs_of(now.spec.gate)
        if self.bench is None or before is None:
            self.bench = Bench(now.spec.task, Contest(gate, policy))
        elif before.spec_hash != now.spec_hash:
            contest = self.bench.contest
            contest.judge_by(gate, policy, time)
            if before.spec.task != now.spec.task:
                contest.restart(time)
            self.bench = Bench(now.spec.task, contest)
        return self.bench

    def _align(self, bench: Bench) -> None:
        """Challengers are all lineages but the one that is deployed."""
        serving = self.deployed.lineage if self.deployed else None
        wanted = [name for name in self.roster.entrants if name != serving]
        for name in bench.contest.challengers:
            if name not in wanted:
                bench.contest.leave(name)
                self._sent.forget(name)
        for name in wanted:
            bench.contest.enter(name)

    def _deploy(self, time: int, body: DeployedBody) -> list[Outcome]:
        """Another version serves; the lineage that leaves stays as a challenger, and besides as it
        left if it goes on learning."""
        before, leaving = self.deployed, self._serving
        self.deployed, self._serving = body, self._found(body)
        if self.bench is None:
            return []
        self.bench.contest.deployed(body.version_id, body.lineage, time)
        self._sent.forget(body.lineage)
        outcomes: list[Outcome] = []
        if before is not None and before.lineage != body.lineage:
            entrant = self.roster.entrants.get(before.lineage)
            if entrant is not None and entrant.lineage.policy.learns and leaving is not None:
                seq = body.deployment_seq
                outcomes += self.roster.archive(entrant, *leaving, seq, body.lineage)
        self._align(self.bench)
        return outcomes

    def _found(self, body: DeployedBody) -> tuple[Version, bytes] | None:
        """The version that serves, with its bytes: it may leave long after it was kept."""
        entrant = self.roster.entrants.get(body.lineage)
        if entrant is None:
            return None
        kept = {version.version_id: version for version in entrant.lineage.shelf}
        version = kept.get(body.version_id)
        return None if version is None else (version, entrant.lineage.payload(version))

    # What learns again.

    def needs(
        self, upcoming: Sequence[tuple[int, int, Joined | Labelled | Control]]
    ) -> Iterator[Need]:
        """What the materials must hold before these records (offset, time) are folded in."""
        yield from self.jobs.needs(upcoming)
        specs = [told.body for _, _, told in upcoming if isinstance(told, SpecControl)]
        going_on = {
            (entrant.pipeline, entrant.definition)
            for entrant in self.roster.entrants.values()
            if not entrant.is_archived
        }
        for body in specs:
            for plan in plans_of(body).values():
                # A second specification may bring back what the first one ends.
                goes_on = len(specs) == 1 and (plan.pipeline, plan.definition) in going_on
                if plan.source is not None and not goes_on:
                    yield ModelNeed(plan, plan.source)

    def work(self, offset: int, time: int) -> list[Outcome]:
        """Each record of the partition pays for some rows of those that learn again."""
        place = Place(offset, time, self.labels)
        return [out for done in self.jobs.work(time) for out in self._supersede(done, place)]

    def _supersede(self, done: Finished, place: Place) -> list[Outcome]:
        """It takes the place of an earlier lineage of its pipeline, unless that one serves."""
        job, roster = done.job, self.roster
        if isinstance(done.made, Failure):
            return [roster.says_broken(job.lineage, done.made.reason, place)]
        former = roster.of_pipeline(job.plan.pipeline)
        roster.broken.pop(job.plan.pipeline, None)
        outcomes: list[Outcome] = [
            *roster.enter(job.plan, job.lineage, done.made, job.origin, place)
        ]
        serving = self.deployed.lineage if self.deployed else None
        for name in former if job.lineage in roster.entrants else ():
            if name != serving:
                del roster.entrants[name]
        if self.bench is not None:
            self._align(self.bench)
        return outcomes

    # How it is kept.

    def is_forgotten(self, since: int) -> bool:
        """Whether nobody registered the model, and its records ended before that time (ms)."""
        return not self.seqs and self.seen < since

    def version_digests(self) -> Iterator[str]:
        """sha256 of the versions that are kept."""
        yield from self.roster.version_digests()
        if self._serving is not None:
            yield self._serving[0].manifest.sha256

    def snapshot(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The state for JSON, and the bytes of its models by sha256."""
        (roster, artifacts), (jobs, of_jobs) = self.roster.snapshot(), self.jobs.snapshot()
        artifacts |= of_jobs
        serving = None
        if self._serving is not None:
            version, payload = self._serving
            serving, artifacts[version.manifest.sha256] = version.row(), payload
        state = {
            "model": self.model,
            "next": self.next,
            "seen": self.seen,
            "labels": self.labels,
            "seqs": dict(self.seqs),
            "identities": self.identities.snapshot(),
            "bench": self.bench and self.bench.snapshot(),
            "deployed": self.deployed and self.deployed.model_dump(exclude_none=True),
            "sent": self._sent.snapshot(),
            "serving": serving,
            **roster,
            **jobs,
        }
        return state, artifacts

    @classmethod
    def restore(
        cls, around: Surroundings, state: Mapping[str, Any], artifacts: Mapping[str, bytes]
    ) -> Self:
        """The state that `snapshot` gave. Raises ValueError, and what the codec raises, for what is
        damaged or of another release."""
        model = state["model"]
        learning = cls(model, around, state["next"], state["seen"], state["labels"])
        learning.seqs = dict(state["seqs"])
        learning.identities = LabelIdentities.restore(state["identities"])
        learning.roster = roster = Roster.restore(model, around, state, artifacts)
        learning.jobs = Jobs.restore(model, around, roster.plans, state, artifacts)
        learning._sent = SentVerdicts.restore(state["sent"])
        if state["deployed"]:
            learning.deployed = DeployedBody.model_validate(state["deployed"])
        if state["bench"]:
            learning.bench = Bench.restore(roster.spec.task, roster.spec.gate, state["bench"])
        if state["serving"]:
            version = Version.of(state["serving"])
            learning._serving = version, artifacts[version.manifest.sha256]
        return learning
