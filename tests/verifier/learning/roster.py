"""Who learns, who serves and who is judged, by the control records of a model's journal."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.verifier.learning.contest import Contest, GateRules
from tests.verifier.learning.incident import Errors, Incident
from tests.verifier.learning.lineages import Lineage, Place, Tally, Version
from tests.verifier.learning.plans import Files, Json, Plan, plans_of
from tests.verifier.learning.retraining import HOUR_MS, Job, RecordedRow, source_of
from tests.verifier.learning.sending import Sending

PlaceOf = Callable[[str], Place | None]  # of the version with this id
ARCHIVED = 2  # copies of former champions that are kept


@dataclass(slots=True)
class Roster:
    """One model. `place_of` says which version an id names; `time` (ms) is the latest append time
    of its partition."""

    horizon_ms: int
    files: Files
    place_of: PlaceOf
    time: int = 0
    spec: Json = field(default_factory=dict)
    spec_hash: str = ""
    plans: dict[str, Plan] = field(default_factory=dict)
    lineages: dict[str, Lineage] = field(default_factory=dict)
    contest: Contest | None = None
    incident: Incident = field(default_factory=Incident)
    errors: Errors = field(default_factory=lambda: Errors(numeric=False))
    sending: Sending = field(default_factory=Sending)
    deployed: Json | None = None  # body of the control record
    lineage_of: dict[str, str] = field(default_factory=dict)  # of each version that served
    jobs: list[Job] = field(default_factory=list)
    hours: dict[int, int] = field(default_factory=dict)  # the model's first offset in each
    recorded: list[RecordedRow] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)  # pipelines that could not begin
    versions: dict[Place, Version] = field(default_factory=dict)
    as_of: dict[str, Tally] = field(default_factory=dict)
    happened: list[tuple[int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _begun: set[str] = field(default_factory=set)
    _seqs: dict[str, int] = field(default_factory=dict)

    @property
    def numeric(self) -> bool:
        """Regression."""
        return bool(self.spec.get("task") == "regression")

    @property
    def serving(self) -> str | None:
        """The lineage that is deployed."""
        return None if self.deployed is None else str(self.deployed["lineage"])

    @property
    def is_outside(self) -> bool:
        """Nothing of ours serves."""
        return self.deployed is None and not self.spec.get("champion")

    def named(self, version_id: str) -> Version | None:
        """The version of an id."""
        place = self.place_of(version_id)
        return None if place is None else self.versions.get(place)

    def keep(self, version: Version | None) -> None:
        """A version was made."""
        if version is not None:
            self.versions[version.place] = version

    def control(self, offset: int, document: Json) -> None:
        """What the registry decided, unless it is known."""
        action, seq, body = document["action"], document["seq"], document["body"]
        if seq <= self._seqs.get(action, -1):
            return
        self._seqs[action] = seq
        if action == "spec":
            self._spec(offset, seq, body)
        elif action == "deployed":
            self._deploy(offset, body)
        elif action in ("retrain", "schedule") and body.get("pipeline") in self.plans:
            plan = self.plans[body["pipeline"]]
            self.jobs = [job for job in self.jobs if job.plan.pipeline != plan.pipeline]
            since = (self.time - self.horizon_ms) // HOUR_MS
            begin = next((first for hour, first in self.hours.items() if hour >= since), 0)
            source = source_of(body, begin, offset)
            self.jobs.append(Job(seq, plan, source, body.get("passes") or 1, self.time))

    def _spec(self, offset: int, seq: int, body: Json) -> None:
        before, self.spec, self.spec_hash = self.spec, body["spec"], body["spec_hash"]
        self.plans = plans_of(body)
        self._judge_by(before)
        for lineage in list(self.lineages.values()):
            if not self._stays(lineage.pipeline, lineage.definition):
                self._drop(lineage.name)
        self.jobs = [j for j in self.jobs if self._stays(j.plan.pipeline, j.plan.definition)]
        for lineage in self.lineages.values():
            lineage.every = self._every
            self.keep(None if lineage.frozen else lineage.cut())
        self.broken.clear()
        live = {entry.pipeline for entry in self.lineages.values() if not entry.is_copy}
        for name, plan in self.plans.items():
            if name not in live:
                self._begin(plan, f"{name}@{seq}" if name in self._begun else name, offset)

    def _stays(self, pipeline: str, definition: bytes) -> bool:
        return pipeline in self.plans and self.plans[pipeline].definition == definition

    def _judge_by(self, before: Json) -> None:
        """Another spec has another gate and another incident; the contest goes on unless its pairs
        would be others."""
        rules = GateRules.of(self.spec)
        if self.contest is None:
            self.contest = Contest(rules)
        elif before != self.spec:
            old, self.contest.rules = self.contest.rules, rules
            if (old.maturity, old.block) != (rules.maturity, rules.block):
                self.contest.restart(self.time)
            if before.get("task") != self.spec["task"]:
                self.contest.restart(self.time)
        if before != self.spec:
            self.incident, self.errors = Incident(), Errors(self.numeric)

    @property
    def _every(self) -> int:
        return int(self.spec.get("version_every") or 50)

    def _begin(self, plan: Plan, name: str, offset: int) -> None:
        try:
            model = plan.begin(self.files)
        except Exception as error:  # noqa: BLE001 - River on any file raises anything
            self.broken.add(plan.pipeline)
            self.notes.append(f"pipeline {plan.pipeline} cannot begin: {error!r}")
            return
        self._enter(self._lineage(plan, name, model, plan.origin, offset))

    def _lineage(
        self, plan: Plan, name: str, model: Any, origin: Json | None, offset: int
    ) -> Lineage:
        """One that begins behind the record at an offset."""
        self._begun.add(plan.pipeline)
        return Lineage(
            name, plan.pipeline, plan.definition, plan.kinds, model, plan.numeric,
            self.horizon_ms, offset + 1, offset, self.time, self._every, frozen=plan.frozen,
            origin=origin, spec_hash=self.spec_hash, seeds=plan.seeds,
        )  # fmt: skip

    def train(self, offset: int) -> None:
        """Every record pays for some rows of those that learn again."""
        for job in list(self.jobs):
            job.earn(self.time)
            try:
                model = job.trained(self.files, self.recorded)
            except Exception as error:  # noqa: BLE001 - River on any file raises anything
                self.jobs.remove(job)
                self.notes.append(f"{job.lineage} cannot be made: {error!r}")
                continue
            if model is not None:
                self.jobs.remove(job)
                self._supersede(job, model, offset)

    def _supersede(self, job: Job, model: Any, offset: int) -> None:
        former = [
            entry.name
            for entry in self.lineages.values()
            if entry.pipeline == job.plan.pipeline and not entry.is_copy
        ]
        self.broken.discard(job.plan.pipeline)
        self._enter(self._lineage(job.plan, job.lineage, model, job.origin, offset))
        for name in former:
            if name != self.serving:
                self._drop(name)

    def _enter(self, lineage: Lineage) -> None:
        self.lineages[lineage.name] = lineage
        self.as_of[lineage.name] = lineage.as_of
        self.keep(lineage.cut())
        if self.contest is not None and lineage.name != self.serving:
            self.contest.enter(lineage.name)

    def _drop(self, name: str) -> None:
        del self.lineages[name]
        self.sending.forget(name)
        if self.contest is not None:
            self.contest.leave(name)

    def _deploy(self, offset: int, body: Json) -> None:
        before, self.deployed = self.deployed, body
        if self.contest is None:
            return
        name = body["lineage"]
        self.lineage_of[body["version_id"]] = name
        self.contest.deployed(name, self.time)
        self.sending.forget(name)
        if before is None or before["lineage"] == name:
            return
        leaving = before["lineage"]
        self.happened.append((offset, f"{name} deployed in place of {leaving}"))
        if leaving in self.lineages:
            self.contest.enter(leaving)
            self._copy(self.lineages[leaving], before["version_id"], body["deployment_seq"])

    def _copy(self, lineage: Lineage, version_id: str, seq: int) -> None:
        """The version that left stays as it was, beside its lineage, which learns on."""
        version = self.named(version_id)
        if lineage.frozen or version is None:
            return
        origin = {"version": version_id}
        for entry in list(self.lineages.values()):
            if entry.is_copy and entry.origin == origin:  # it left before: the newest again
                self.lineages[entry.name] = self.lineages.pop(entry.name)
                return
        name = f"{lineage.name}/archived-{seq}"
        self._enter(lineage.copy_of(version, name, version_id))
        copies = [entry.name for entry in self.lineages.values() if entry.is_copy]
        for old in copies[:-ARCHIVED]:
            if old != self.serving:
                self._drop(old)
