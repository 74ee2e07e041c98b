"""Whose errors opened an incident, and who took over while it lasted."""

import orjson
import pytest

from driftline.core.monitoring.lineages import VERSIONS_KEPT, Lineages, family
from driftline_schemas.alerts import Alert
from driftline_schemas.control import DeployedBody
from tests.unit.core.monitoring.journal import START, Journal, alerts, fold, new_fold


def labels(journal: Journal, n: int, *, wrong_every: int, version: str) -> None:
    for i in range(n):
        label = "no" if wrong_every and i % wrong_every == 0 else "yes"
        time = START + len(journal.entries) * 100
        journal.joined(time, time, label=label, model_version=version)


def story(*takeovers: str) -> list[Alert]:
    """Errors rise while a serves; then the takeovers, and the last of them is right."""
    journal = Journal()
    journal.spec()
    journal.deployed(START, 2, "a")
    labels(journal, 300, wrong_every=10, version="a-1")
    labels(journal, 200, wrong_every=1, version="a-1")
    for seq, lineage in enumerate(takeovers, start=3):
        journal.deployed(START + len(journal.entries) * 100, seq, lineage)
    labels(journal, 300, wrong_every=10, version=f"{takeovers[-1]}-1")
    return alerts(fold(journal.entries, new_fold()))


def test_an_alert_says_who_served_and_who_took_over_while_it_was_open() -> None:
    firing, resolved = story("b")
    assert (firing.model_version, resolved.model_version) == ("a-1", "a-1")
    assert (firing.lineage, resolved.lineage) == ("a", "a")
    assert firing.summary.startswith("accuracy fell from 0.")
    assert firing.summary.endswith("labels; a served")
    assert resolved.summary.endswith(" less a margin of 0.05), after b took over from a")


def test_a_takeover_is_no_revision_and_several_name_the_last() -> None:
    firing, resolved = story("b", "c")
    assert (firing.revision, resolved.revision) == (1, 2)
    assert resolved.summary.endswith(", after c took over from a")


def test_who_serves_again_took_over_from_nobody() -> None:
    _, resolved = story("b", "a")
    assert resolved.summary.endswith("before the incident, less a margin of 0.05)")


def test_the_lineage_is_that_of_the_prediction_not_of_the_moment() -> None:
    journal = Journal()
    journal.spec()
    journal.deployed(START, 2, "a")
    labels(journal, 300, wrong_every=10, version="a-1")
    journal.deployed(START + len(journal.entries) * 100, 3, "b")
    labels(journal, 200, wrong_every=1, version="a-1")  # they were made before
    (firing,) = alerts(fold(journal.entries, new_fold()))
    assert firing.summary.endswith("; a served")


def test_a_model_that_is_served_outside_names_no_lineage() -> None:
    journal = Journal()
    journal.spec()
    labels(journal, 300, wrong_every=10, version="v1")
    labels(journal, 200, wrong_every=1, version="v1")
    (firing,) = alerts(fold(journal.entries, new_fold()))
    assert firing.summary.endswith("labels")


@pytest.mark.parametrize("lineage", ["sm", "sm@7", "a/b"])
def test_forks_are_of_the_family_of_their_lineage(lineage: str) -> None:
    assert family(lineage) == family(f"{lineage}/archived-12") == lineage


def test_memory_is_bounded_and_survives_a_restart() -> None:
    known = Lineages()
    for i in range(3 * VERSIONS_KEPT):
        body = {"deployment_seq": i, "version_id": f"v{i}", "lineage": f"l{i}"}
        known.deployed(DeployedBody.model_validate(body))
    restored = Lineages.restore(orjson.loads(orjson.dumps(known.snapshot())))
    assert restored == known
    assert restored.of(f"v{3 * VERSIONS_KEPT - 1}") == restored.serving
    assert restored.of("v0") is None
    assert len(known.snapshot()["of"]) == VERSIONS_KEPT
