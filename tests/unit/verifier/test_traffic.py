"""The traffic is the same for the same seed, and holds the oddities that it promises."""

from tests.unit.verifier.logs import HOUR, MINUTE, NOON, Topics
from tests.verifier.compare import verify_logs
from tests.verifier.joining import Rules
from tests.verifier.poison import bad_features, long_integer, poison
from tests.verifier.sending import Pace
from tests.verifier.traffic import Event, Model, Shares, Traffic, reference_rows

RULES = Rules(horizon_ms=MINUTE, repeat_window_ms=HOUR, pane_ms=5000)
MODELS = (Model("images", ("v1", "v2")), Model("insects"))


def traffic(pairs: int, *, seed: int = 7, shares: Shares | None = None) -> Traffic:
    mix = shares or Shares()
    return Traffic(seed, pairs, MODELS, partitions=4, start=NOON, shares=mix)


def appended(events: list[Event], *, apart: int = 1) -> Topics:
    topics = Topics(partitions=4)
    topics.send(events, apart=apart)
    return topics


def test_one_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert list(traffic(300)) == list(traffic(300))
    assert list(traffic(300, seed=8)) != list(traffic(300))


def test_traffic_without_oddities_joins_completely() -> None:
    plain = Shares(**dict.fromkeys(Shares.__dataclass_fields__, 0))
    expected = appended(list(traffic(500, shares=plain))).recomputed(rules=RULES)

    assert len(expected.joined) == sum(tally.n for tally in expected.counts.values()) == 500
    assert not expected.alone
    assert not expected.dead_letters
    assert not expected.corrections


def test_each_oddity_comes_in_about_its_share() -> None:
    expected = appended(list(traffic(5000))).recomputed(rules=RULES)
    figures = expected.figures

    assert 10 < figures["repeats"] < 50
    assert 10 < figures["label repeats"] < 60
    assert 0 < figures["conflicting repeats"] < 20
    assert 25 < len(expected.corrections) < 100
    assert 25 < len(expected.dead_letters) < 80
    assert all(dead.reasons == {"misplaced"} for dead in expected.dead_letters.values())
    first = [left.at > right.at for left, right in expected.joined.values()]
    assert 25 < sum(first) < 80
    reasons = [reason for reason, *_ in expected.alone]
    assert 45 < reasons.count("no_label") < 110
    assert 15 < reasons.count("no_prediction") < 65
    assert 5 < sum(tally.skewed for tally in expected.counts.values()) < 45
    assert not expected.ambiguous.keys


def test_models_share_no_feature_and_rows_match_their_spec() -> None:
    images, insects = (set(model.kinds()) for model in MODELS)
    assert len(images) == len(insects) == 20
    assert not images & insects
    [row] = reference_rows(MODELS[0], seed=1, rows=1)
    assert set(row) == images | {"prediction", "label"}


def test_a_joiner_without_faults_is_exact_on_traffic_with_poison() -> None:
    events = list(traffic(1000))
    events += [entry.event for entry in poison(MODELS[0], 4, at=NOON)]
    events += bad_features(MODELS[0], 4, at=NOON)
    events.append(long_integer(MODELS[0], 4, at=NOON))
    topics = appended(events)
    features = {
        name: {"kind": kind, "edges": [-1.0, 0.0, 1.0], "categories": ["red"]}
        for name, kind in MODELS[0].kinds().items()
    }
    topics.bins("0" * 16, features, at=0, model="images")
    topics.join_faultlessly(clock=HOUR, rules=RULES)

    report = verify_logs(topics.logs(), RULES, clock=NOON + HOUR)

    assert report.exact, report
    invalid = sum(
        sum(vector[-1] for vector in tally.counts.values())
        for at, tally in topics.recomputed(rules=RULES).counts.items()
        if at.bins_id
    )
    assert invalid >= len(bad_features(MODELS[0], 4, at=NOON)) + 1


def test_a_pace_without_rate_never_waits() -> None:
    waits: list[float] = []
    pace = Pace(None)
    for sent in range(129):
        pace.wait(sent, waits.append)
    assert waits == [0, 0, 0]


def test_a_pace_keeps_its_rate() -> None:
    class Arrived(Exception):  # noqa: N818
        pass

    def give_up(seconds: float) -> None:
        assert 0 < seconds <= 100
        raise Arrived

    pace = Pace(0.01)
    pace.wait(0, give_up)
    try:
        pace.wait(1, give_up)
    except Arrived:
        return
    raise AssertionError("the second event was not held back")
