"""What happens to each model of the story: a fault, incidents, a challenger that takes over, the
champion's return; numbers, an open incident, markup in every name, silence, and very many models.
"""

from functools import cache
from random import Random

from driftline_schemas.alerts import Cause
from driftline_schemas.codec import short_hash
from driftline_schemas.control import BinsBody
from driftline_schemas.spec import ModelSpec
from driftline_schemas.verdicts import Result, Verdict, Window, verdict_id
from tests.page.story import (
    BACK,
    END,
    EVIL,
    FAULT,
    MINUTE,
    REPAIR,
    SEGMENTS,
    SWAPPED,
    TAKEOVER,
    Story,
    bins_for,
    results_of,
    wire_of,
)
from tests.unit.core.registry.book import START


def fault_and_return(story: Story, model: str = "segments") -> None:
    """The whole story of one model."""
    wire = wire_of(
        model, SEGMENTS, pipelines={"sm": [], "hat": [], "lr": []}, champion="sm", follow=True,
        floors=[{"metric": "accuracy", "below": 0.75, "over_labels": 200}],
    )  # fmt: skip
    bins = bins_for(wire, story.chance)
    spec = story.apply(wire, bins)
    sm = story.version(spec, "sm", 1, -9, metrics={"as_of_accuracy": 0.94})
    for number in (1, 2, 3, 4):
        story.version(spec, "hat", number, -9 + 40 * number)
    story.version(spec, "lr", 1, 30)
    _windows(story, spec, bins)
    _incidents(story, model)
    _contest(story, spec)
    hat = story.version(spec, "hat", 5, 190)
    story.decide("rollback", {"model": model}, BACK, actor="page:ann",
                 reason="the upstream columns are repaired")  # fmt: skip
    for number in range(1, 12):
        story.gate(model, "hat", 25 * number, -0.02 - 0.002 * number,
                   "no_data" if number < 8 else "continue", test=3)  # fmt: skip
        story.gate(model, "lr", 25 * number, 0.004 * number,
                   "no_data" if number < 8 else "continue", test=3)  # fmt: skip
    story.at(END)
    for scorer in ("scorer-0", "scorer-1"):
        story.serves(scorer, **{model: sm})
    story.serves("scorer-2", **{model: hat})


def _windows(story: Story, spec: ModelSpec, bins: BinsBody) -> None:
    for minute in range(0, END, 5):
        faulty = FAULT <= minute < REPAIR
        served = "hat" if TAKEOVER <= minute < BACK else "sm"
        right = {("sm", False): 0.93, ("sm", True): 0.61, ("hat", True): 0.84}.get(
            (served, faulty), 0.82
        )
        n = 200 + story.chance.randrange(30)
        start, end = START + minute * MINUTE, START + (minute + 5) * MINUTE
        left = (END - minute) // 5
        coverage = 1.0 if left > 6 else max(0.0, (left - 1) / 7)
        value = min(1.0, right + story.chance.gauss(0, 0.015)) if coverage else None
        version = short_hash(spec.model, served, "1")
        story.scored(spec, 200, start, end, n, value, coverage, version)
        results = results_of(spec, bins, n, 200, story.chance, faulty)
        story.judged(spec, 200, (start, end, n), results, version)
        if minute % 25 == 20:
            span = (end - 25 * MINUTE, end, 5 * n)
            story.scored(spec, 1_000, *span, value, coverage, version)
            story.judged(spec, 1_000, span, results_of(
                spec, bins, 1_000, 1_000, story.chance, faulty), version)  # fmt: skip


def _incidents(story: Story, model: str) -> None:
    cause = [
        Cause(feature=name, effect=0.62 - 0.05 * place, first_offset=4_801 + place).model_dump()
        for place, name in enumerate(SWAPPED)
    ]
    drifted = "features drifted from the reference over 214 predictions: hue-mean (effect 0.62)"
    five, six = f"5 of 16 {drifted}", f"6 of 16 {drifted}"
    fell = "accuracy fell from 93.1 % to 64.0 % over the last 50 labels; sm served"
    back = (
        "accuracy is back at 88.5 % over the last 200 labels (93.1 % before the incident), after"
        " hat took over from sm"
    )
    story.alert(model, "data", FAULT + 6, [
        (FAULT + 6, "firing", five, {"cause": cause[:5], "effect": 0.62}),
        (FAULT + 11, "worse", six, {"cause": cause, "effect": 0.62}),
        (REPAIR + 6, "resolved", "no feature differs from the reference over 221 predictions",
         {"cause": cause, "effect": 0.11}),
    ])  # fmt: skip
    story.alert(model, "error", FAULT + 9, [
        (FAULT + 9, "firing", fell, {"value": 0.64, "threshold": 0.88, "effect": 0.29}),
        (TAKEOVER + 30, "resolved", back, {"value": 0.885, "threshold": 0.88}),
    ])  # fmt: skip


def _contest(story: Story, spec: ModelSpec) -> None:
    for number in range(1, 17):
        gain = 0.21 if number > 4 else 0.12 + 0.02 * number
        verdict = "no_data" if number < 8 else "continue"
        story.gate(spec.model, "hat", 25 * number, gain, verdict, test=2)
    deployed = story.folds.registry.models[spec.model].deployed
    assert deployed is not None
    body = {
        "model": spec.model, "deployment_seq": deployed.body.deployment_seq, "champion": "sm",
        "challenger": "hat", "version_id": short_hash(spec.model, "hat", "3"),
        "since": START + FAULT * MINUTE, "j": 2, "k": 2, "n": 425, "metric": "accuracy",
        "mean": 0.212, "variance": 0.2, "r": 0.128, "alpha": 0.01, "lower": 0.021, "upper": 0.403,
        "least_gain": 0.03, "verdict": "promote",
    }  # fmt: skip
    proof = "hat against sm: gain 0.212, between 0.021 and 0.403, on 425 predictions"
    story.decide("gate_evaluated", body, TAKEOVER, actor="learner", reason=proof)


def regression(story: Story, model: str = "bike demand") -> None:
    """A model of numbers, served outside; no incident, but it may still change."""
    features = ("hour", "temperature", "humidity", "windspeed")
    wire = wire_of(model, features, task="regression")
    bins = bins_for(wire, story.chance)
    spec = story.apply(wire, bins)
    for minute in range(0, END, 10):
        start, end = START + minute * MINUTE, START + (minute + 10) * MINUTE
        value = 41 + 6 * story.chance.random() + minute / 40
        coverage = 1.0 if minute < END - 60 else 0.6
        story.scored(spec, 200, start, end, 240, value, coverage, "2026-11-01")
        results = results_of(spec, bins, 240, 200, story.chance, False)
        story.judged(spec, 200, (start, end, 240), results, "2026-11-01")


def broken_column(story: Story, model: str = "churn") -> None:
    """Its data incident is open."""
    features = ("plan", "tenure", "calls", "minutes")
    wire = wire_of(model, features, task="binary")
    spec = story.apply(wire, bins_for(wire, story.chance))
    for minute in range(0, END, 12):
        span = (START + minute * MINUTE, START + (minute + 12) * MINUTE, 260)
        story.scored(spec, 200, *span, 0.88 + story.chance.gauss(0, 0.01), 1.0, "v7")
        drifted = minute >= END - 60
        results = [
            Result(
                scope=name, statistic="rank_z", value=9.4, p_value=1e-9, threshold=1e-5,
                effect=0.1 + (0.4 if drifted and name == "tenure" else story.chance.random() / 20),
                outcome="drifted" if drifted and name == "tenure" else "ok", reason="p 1e-09",
            )
            for name in features
        ]  # fmt: skip
        story.judged(spec, 200, span, results, "v7")
    said = "1 of 4 features drifted from the reference over 260 predictions: tenure (effect 0.50)"
    cause = [{"feature": "tenure", "effect": 0.5, "first_offset": 9_120}]
    story.alert(model, "data", END - 47, [(END - 47, "firing", said, {"cause": cause})])


def evil(story: Story, model: str = EVIL) -> None:
    """Everything that somebody can type is markup."""
    typed = f"\"'>{EVIL}&amp;</title></script><script>alert(2)</script>"
    wire = wire_of(model, [EVIL, typed[:100]], pipelines={EVIL: []}, champion=EVIL)
    bins = bins_for(wire, story.chance)
    spec = story.apply(wire, bins)
    version = story.version(spec, EVIL, 1, 1, code=typed, metrics={EVIL: 1.0}, lineage=EVIL,
                            environment={EVIL: EVIL})  # fmt: skip
    for minute in (0, 5, 10):
        span = (START + minute * MINUTE, START + (minute + 5) * MINUTE, 210)
        story.scored(spec, 200, *span, 0.9, 1.0, typed)
        results = results_of(spec, bins, 210, 200, story.chance, minute == 5)
        story.judged(spec, 200, span, results, version)
    story.alert(model, "data", 12, [(12, "firing", typed, {
        "cause": [{"feature": EVIL, "effect": 0.5, "first_offset": 3},
                  {"segment": EVIL, "effect": 0.4}], "reason": typed})])  # fmt: skip
    story.gate(model, EVIL, 250, 0.01, "continue")
    story.decide("hold", {"model": model, "lineage": EVIL}, 20, actor=f"page:{EVIL}", reason=typed)


def quiet(story: Story) -> None:
    """One that waits for its first window, one that nobody registered, one that may be judged
    on nothing."""
    story.apply(wire_of("credit/eu", ["income", "age"]), None)
    spec = ModelSpec.model_validate(wire_of("nobody's model", ["x"]))
    story.scored(spec, 200, START, START + MINUTE, 200, None, 0.0, "v1")


def wide(story: Story, models: int = 50, features: int = 200, windows: int = 60) -> None:
    """Many models with many features; what is said of them is drawn, not judged."""
    chance = Random(1)
    names = [f"feature_{number:03d}" for number in range(features)]
    pool = [[_drawn(chance, name) for name in names] for _ in range(windows)]
    bins = bins_for(wire_of("wide", names), chance, rows=60)
    for number in range(models):
        wire = wire_of(f"wide-{number:02d}", names, pipelines={"sm": []}, champion="sm")
        spec = story.apply(wire, bins)
        version = story.version(spec, "sm", 1, 0)
        for place, results in enumerate(pool):
            span = (START + place * 5 * MINUTE, START + (place + 1) * 5 * MINUTE, 220)
            story.scored(spec, 200, *span, 0.9 + chance.random() / 20, 1.0, version)
            story.folds._verdict(_of(spec.model, span, results, version))


def _drawn(chance: Random, name: str) -> Result:
    effect = abs(chance.gauss(0.1, 0.03))
    drifted = effect > 0.2
    return Result(
        scope=name, statistic="rank_z", value=effect * 10, p_value=0.2, effect=effect,
        threshold=1e-6, outcome="drifted" if drifted else "ok", reason="drawn",
    )  # fmt: skip


def _of(model: str, span: tuple[int, int, int], results: list[Result], version: str) -> Verdict:
    start, end, n = span
    return Verdict(
        verdict_id=verdict_id(model, "data", 200, start, end), revision=1, model=model,
        model_version=version, check="data", target=200, outcome="ok",
        window=Window(start=start, end=end, n=n), results=results, at=end,
    )  # fmt: skip


def whole_story(*, with_evil: bool = True) -> Story:
    """All of it but the many."""
    return _told(with_evil).copied()


@cache
def _told(with_evil: bool) -> Story:
    story = Story()
    fault_and_return(story)
    regression(story)
    broken_column(story)
    if with_evil:
        evil(story)
    quiet(story)
    story.at(END)
    return story
