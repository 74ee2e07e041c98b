"""Are dead letters listed, shown and sent again to where they belong, on a real installation?"""

from typing import Any

import orjson
import pytest
from confluent_kafka import Consumer

from driftline_schemas.partitioner import partition_of
from driftline_schemas.topics import DEAD_LETTERS, JOURNAL, LABELS, PREDICTIONS
from tests.integration.installation import Installation
from tests.integration.operating import Sender, invoke, label, lines, prediction
from tests.waiting import until

pytestmark = pytest.mark.integration

LABEL_HORIZON = "1h"


def test_a_dead_letter_is_listed_shown_and_resent_to_where_it_belongs(
    operated: Installation,
) -> None:
    sender = Sender(operated)
    before = len(operated.read(DEAD_LETTERS))
    wrong = [prediction(f"stray-{i}", producer={"name": "go-shop", "version": "0.3"})
             for i in range(3)]  # fmt: skip
    sender.send(PREDICTIONS, *wrong, misplace=1)
    sender.put(LABELS, b"x" * 300_000, "large", 0)
    sender.put(LABELS, b"{nonsense", "n", 0)
    until(lambda: len(operated.read(DEAD_LETTERS)) >= before + 5, "dead letters are missing")

    listed = lines("deadletters", "list", "--reason", "misplaced", "--model", "churn")
    assert {row["producer"] for row in listed} == {"go-shop 0.3"}
    assert len(listed) == 3
    counts = {
        (c["reason"], c["topic"], c["producer"]): c["n"] for c in lines("deadletters", "count")
    }
    assert counts["misplaced", "predictions", "go-shop 0.3"] == 3
    (shown,) = lines("deadletters", "show", listed[0]["place"])
    assert orjson.loads(shown["text"])["prediction_id"].startswith("stray-")

    choice = ["deadletters", "resend", "--reason", "misplaced", "--topic", "predictions"]
    assert "run it again with --yes" in invoke(*choice, code=1).stderr
    assert [row["sent"] for row in lines(*choice, "--dry-run")] == [False] * 3
    assert len(operated.read(DEAD_LETTERS)) == before + 5
    sent = lines(*choice, "--yes")
    assert [row["partition"] for row in sent] == [
        partition_of(orjson.loads(lines("deadletters", "show", row["place"])[0]["text"])[
            "prediction_id"], 16)
        for row in sent
    ]  # fmt: skip
    assert {row["origin"] for row in sent} <= lineages(operated)
    assert lines(*choice, "--yes") == [
        {**{name: row[name] for name in ("place", "origin", "reason")}, "sent": False,
         "why": "sent again already"}
        for row in sent
    ]  # fmt: skip
    assert "3 stay: sent again already" in invoke(*choice, "--yes").stderr
    sender.send(LABELS, *(label(f"stray-{i}") for i in range(3)))
    strays = {f"stray-{i}" for i in range(3)}
    until(lambda: strays <= joined(operated), "what was sent again is not joined")
    refused = invoke("deadletters", "resend", "--reason", "too_large", "--yes", code=1)
    assert "only 262,144 of its 300,000 bytes were kept" in refused.stderr
    assert (
        "No dead letter lies at 3:999999"
        in invoke("deadletters", "show", "3:999999", code=1).stderr
    )


def test_what_is_refused_for_itself_does_not_multiply(operated: Installation) -> None:
    """With --again each run leaves one letter more, not twice as many."""
    Sender(operated).put(LABELS, orjson.dumps({"prediction_id": "many", "model": 7}), "many", 0)
    choice = ["deadletters", "resend", "--reason", "missing_field", "--service", "joiner", "--yes"]
    for run in range(4):
        assert len(more_than(run, *choice[2:-1])) == run + 1
        refused = lines(*choice, code=1)
        assert not any(row["sent"] for row in refused[:-1])
        assert "add --again" in refused[-1]["error"]
        sent = [row["place"] for row in lines(*choice, "--again") if row["sent"]]
        assert len(sent) == 1
    by_hand = lines("deadletters", "resend", *sent, *sent, "--again", "--dry-run")
    assert len(by_hand) == 1
    counted = lines("status", code=None)[0]["dead_letters_last_hour"]
    assert "unreadable" not in counted


def joined(made: Installation) -> set[object]:
    """Ids of predictions that have met their label."""
    return {r["prediction_id"] for r in made.read(JOURNAL) if r["kind"] == "joined"}


def more_than(count: int, *choice: str) -> list[dict[str, Any]]:
    """The letters of this choice, once there are more than so many."""

    def listed() -> list[dict[str, Any]] | None:
        letters = lines("deadletters", "list", *choice)
        return letters if len(letters) > count else None

    return until(listed, "no letter comes")


def lineages(made: Installation) -> set[str]:
    """What the header of resent predictions names."""
    consumer = Consumer(
        {
            "bootstrap.servers": made.servers.brokers,
            "group.id": f"{made.prefix}.lineage",
            "log_level": 0,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([PREDICTIONS.full_name(made.prefix)])
    found: set[str] = set()

    def all_of_them() -> bool:
        for message in consumer.consume(500, 0.5):
            headers = dict(message.headers() or [])
            if isinstance(origin := headers.get("driftline-resent-from"), bytes):
                found.add(origin.decode())
        return len(found) >= 3

    until(all_of_them, lambda: f"only {found}", pause=0)
    consumer.close()
    return found
