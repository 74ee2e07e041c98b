"""Bad input: one dead letter each with its reason, services keep running, the rest is judged."""

from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest

from driftline.runtime.clock import SystemClock
from driftline.sdk import Driftline
from driftline.servers import LocalServers
from driftline_schemas.topics import DEAD_LETTERS, JOURNAL
from tests.integration.installation import Installation, installation
from tests.integration.verifying import apply_model, report
from tests.verifier.poison import bad_features, long_integer, poison
from tests.verifier.sending import send
from tests.verifier.traffic import Model, Traffic
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.integration

MODEL = Model("alpha")


@pytest.fixture
def made(servers: LocalServers, prefix: str, tmp_path: Path) -> Iterator[Installation]:
    """An installation with a joiner and a monitor."""
    with installation(servers, prefix, tmp_path, label_horizon="600s") as made:
        apply_model(made, MODEL)
        sleep(3)  # the bins' lead
        made.start("joiner", "j1")
        made.start("monitor", "m1")
        made.wait_for_lag("joiner")
        yield made


def test_every_bad_record_is_one_dead_letter_with_its_reason(made: Installation) -> None:
    now = SystemClock().now()
    bad = poison(MODEL, 16, at=now)
    odd = [*bad_features(MODEL, 16, at=now), long_integer(MODEL, 16, at=now)]
    good = list(Traffic(3, 500, (MODEL,), partitions=16, start=now))
    events = [*good, *(each.event for each in bad), *odd]
    send(made.servers.brokers, made.prefix, events)
    assert report(made, 600).exact
    letters = made.read(DEAD_LETTERS)
    assert len({(each["topic"], each["partition"], each["offset"]) for each in letters}) >= len(bad)
    assert all(each["sentence"] for each in letters)
    assert made.running["j1"].poll() is None
    assert made.running["m1"].poll() is None
    assert _invalid(made) >= len(odd)


def _invalid(made: Installation) -> int:
    """How many values were counted as invalid, over all features and panes."""
    newest: dict[tuple[object, ...], dict[str, list[int]]] = {}
    for record in made.read(JOURNAL):
        if record["kind"] == "counts":
            names = ("model_version", "pane", "partition", "segment", "bins_id")
            key = tuple(record.get(name) for name in names)
            newest[key] = record["counts"]  # type: ignore[assignment]  # JSON
    return sum(vector[-1] for counts in newest.values() for vector in counts.values())


def test_what_is_too_large_is_dropped_by_the_sdk_and_counted(made: Installation) -> None:
    with Driftline(made.servers.brokers, made.prefix, task="multiclass") as app:
        large = {"text": "x" * 5_000_000}
        assert (
            app.log_prediction(model="alpha", model_version="v1", features=large, prediction="sky")
            is None
        )
        assert app.log_prediction(
            model="alpha", model_version="v1", features={"text": "x"}, prediction="sky"
        )
        assert app.flush(PATIENCE_SECONDS) == 0
        statistics = app.statistics()
    assert statistics.dropped == {"too_large": 1}
    assert statistics.sent == 1
