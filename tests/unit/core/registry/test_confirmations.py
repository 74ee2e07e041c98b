"""When is it known that every scorer serves what is deployed?"""

from typing import Any

from driftline.core.registry.confirmations import SILENT_MS, confirmations
from driftline_schemas.control import DeployedBody
from driftline_schemas.registry import ScorerStatus

NOW = 1_000_000
NEW, OLD = "new", "old"
DEPLOYED = DeployedBody(deployment_seq=3, version_id=NEW, lineage="l")


def status(name: str, version_id: str, ago: int = 0, **parts: Any) -> ScorerStatus:
    return ScorerStatus(scorer_id=name, seq=1, versions={"m": version_id}, at=NOW - ago, **parts)


def test_scorers_are_confirmed_pending_or_silent() -> None:
    statuses = [
        status("c", NEW, ago=10 * SILENT_MS),
        status("b", OLD, ago=SILENT_MS),
        status("a", OLD, ago=SILENT_MS + 1),
    ]
    found = confirmations(statuses, "m", DEPLOYED, NOW)
    assert (found.confirmed, found.pending, found.silent) == (["c"], ["b"], ["a"])
    assert not found.complete


def test_one_that_signed_off_or_serves_other_models_does_not_count() -> None:
    statuses = [
        status("a", NEW),
        status("b", OLD, ago=SILENT_MS + 1, signed_off=True),
        ScorerStatus(scorer_id="c", seq=1, versions={"other": OLD}, at=0),
    ]
    found = confirmations(statuses, "m", DEPLOYED, NOW)
    assert found.confirmed == ["a"]
    assert found.complete


def test_a_silent_scorer_that_has_not_signed_off_keeps_it_incomplete() -> None:
    assert not confirmations([status("a", OLD, ago=SILENT_MS + 1)], "m", DEPLOYED, NOW).complete


def test_a_status_from_before_the_deployment_confirms_nothing() -> None:
    statuses = [
        status("a", NEW, seqs={"m": 1}),  # it may have served another version since
        status("b", NEW, ago=SILENT_MS + 1, seqs={"m": 1}),
        status("c", NEW, seqs={"m": 3}),
        status("d", OLD, seqs={"m": 3}),  # it cannot serve what is deployed
        status("e", NEW, seqs={"m": 4}),  # it knows more than we do
    ]
    found = confirmations(statuses, "m", DEPLOYED, NOW)
    assert (found.confirmed, found.pending, found.silent) == (["c", "e"], ["a", "d"], ["b"])
