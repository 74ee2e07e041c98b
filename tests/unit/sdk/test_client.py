"""Does the client leave its app alone, whatever happens?"""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from time import monotonic, perf_counter, sleep
from typing import Any

import pytest
from confluent_kafka import KafkaError

from driftline.sdk import Driftline
from driftline.sdk.client import _CLIENTS
from driftline.sdk.delivery import Delivery
from driftline.sdk.quiet_log import QuietLog
from driftline.sdk.statistics import Tally

NOBODY = "127.0.0.1:1"  # no broker listens there


@pytest.fixture
def client() -> Iterator[Driftline]:
    client = Driftline(NOBODY, task="binary", max_queued=50)
    yield client
    client.close(0)


def predict(client: Driftline, **changes: Any) -> str | None:
    fields: dict[str, Any] = {
        "model": "m", "model_version": "1", "features": {"x": 1.0}, "prediction": True,
    }  # fmt: skip
    return client.log_prediction(**{**fields, **changes})


def test_without_a_broker_nothing_waits() -> None:
    start = perf_counter()
    client = Driftline(NOBODY)
    for _ in range(1_000):
        predict(client)
        client.log_label(model="m", prediction_id="1", label="yes")
    spent = perf_counter() - start
    assert client.statistics().queued == 2_000
    client.close(0)
    assert spent < 2  # far below the second a single attempt to connect would take


def test_a_full_queue_drops_the_newest_and_counts_them(client: Driftline) -> None:
    ids = [predict(client) for _ in range(60)]
    assert ids[50:] == [None] * 10
    assert len(set(ids[:50])) == 50
    statistics = client.statistics()
    assert (statistics.sent, statistics.queued) == (0, 50)
    assert statistics.dropped == {"queue_full": 10}


def test_an_error_that_waits_to_be_told_is_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Delivery, "_collect", lambda self: None)
    delivery = Delivery({"bootstrap.servers": NOBODY}, Tally(), QuietLog())
    deadline = monotonic() + 30
    while not len(delivery._producer):  # librdkafka found nobody there
        assert monotonic() < deadline
        sleep(0.01)
    assert min(delivery.queued() for _ in range(3)) == 0  # another may just have come
    delivery.close(0)


def test_bad_arguments_are_counted_by_reason_and_raise_nothing(client: Driftline) -> None:
    assert predict(client, prediction_id="not an id") is None
    assert predict(client, features={"x": "a" * 5_000_000}) is None
    assert predict(client, features=None) is None
    assert client.log_label(model="m", prediction_id="1", label=None) is False
    assert client.statistics().dropped == {"invalid_field": 3, "too_large": 1}


def test_an_app_object_that_raises_is_a_counted_drop(client: Driftline) -> None:
    class Hostile(dict[str, object]):
        def items(self) -> Any:
            raise RuntimeError("no")

    assert predict(client, features=Hostile()) is None
    assert client.statistics().dropped == {"unexpected": 1}


def test_a_given_id_is_returned(client: Driftline) -> None:
    assert predict(client, prediction_id="order-1") == "order-1"


def test_settings_that_librdkafka_refuses_drop_everything_and_check_says_so() -> None:
    client = Driftline(NOBODY, config={"no.such.setting": "1"})
    assert predict(client) is None
    assert client.statistics().dropped == {"unusable_settings": 1}
    (sentence,) = client.check()
    assert "no.such.setting" in sentence
    assert client.close() == 0


def test_the_partitioner_cannot_be_changed_by_the_app() -> None:
    client = Driftline(NOBODY, config={"partitioner": "random"})
    assert client._delivery is not None
    assert client._delivery._config["partitioner"] == "murmur2_random"
    client.close(0)


def test_check_names_the_broker_that_does_not_answer(client: Driftline) -> None:
    predict(client, model="")
    sentences = client.check(timeout=0.5)
    assert sentences[0].startswith(f"No broker answers at {NOBODY}")
    assert sentences[1].startswith("1 events were dropped (invalid_field)")


def test_after_close_events_are_dropped_and_counted() -> None:
    with Driftline(NOBODY) as client:
        pass
    assert predict(client) is None
    assert client.statistics().dropped == {"closed": 1}
    assert client not in _CLIENTS


def test_close_and_flush_wait_no_longer_than_they_are_told(client: Driftline) -> None:
    predict(client)
    start = perf_counter()
    assert client.flush(0.2) == 1
    assert client.close(0.2) == 1
    assert perf_counter() - start < 3


def test_a_fatal_error_of_librdkafka_is_survived_by_a_new_producer(client: Driftline) -> None:
    delivery = client._delivery
    assert delivery is not None
    predict(client)
    broken = delivery._producer
    delivery._trouble(KafkaError(KafkaError._FATAL, "epoch lost", fatal=True))
    delivery._closed = True  # the thread leaves the replacing to this test
    delivery._thread.join()
    if delivery._fatal:
        delivery._replace()
    delivery._closed = False
    assert delivery._producer is not broken
    assert client.statistics().failed == {"_PURGE_QUEUE": 1}
    assert predict(client) is not None
    assert client.statistics().queued == 1


def test_each_kind_of_trouble_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    seconds = 0.0
    log = QuietLog(elapsed=lambda: seconds)
    with caplog.at_level(logging.WARNING, "driftline.sdk"):
        for _ in range(5):
            log.say("full", logging.WARNING, "the queue is full")
        log.log(logging.ERROR, "%s [%s] %s", "FAIL", "client", "no broker")
        seconds = 61.0
        log.say("full", logging.WARNING, "the queue is full")
    assert [record.getMessage() for record in caplog.records] == [
        "Driftline: the queue is full",
        "Driftline: FAIL [client] no broker",
        "Driftline: the queue is full (4 more like it since the last line)",
    ]


def run_app(code: str) -> "subprocess.CompletedProcess[str]":
    start = "from driftline.sdk import Driftline\nimport os, time\n"
    command = [sys.executable, "-c", start + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_an_app_without_kafka_ends_in_time_and_says_what_was_lost() -> None:
    start = perf_counter()
    app = run_app(
        f"d = Driftline('{NOBODY}')\n"
        "d.log_label(model='m', prediction_id='1', label='a')\n"
        "time.sleep(0.5)\nprint('done')"
    )
    assert (app.returncode, app.stdout) == (0, "done\n")
    *refused, lost = app.stderr.splitlines()
    assert lost == "Driftline: 1 record was not sent within 5 s at the end"
    assert all(f"{NOBODY}/bootstrap" in line for line in refused)
    assert perf_counter() - start < 15


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_starts_with_its_own_queue_and_ids() -> None:
    app = run_app(
        f"d = Driftline('{NOBODY}')\n"
        "mine = d.log_prediction(model='m', model_version='1', features={}, prediction='a')\n"
        "pid = os.fork()\n"
        "theirs = d.log_prediction(model='m', model_version='1', features={}, prediction='a')\n"
        "if pid == 0:\n"
        "    assert theirs.split('-')[0] != mine.split('-')[0]\n"
        "    os._exit(d.statistics().queued)\n"
        "status = os.waitpid(pid, 0)[1]\n"
        "print(os.waitstatus_to_exitcode(status), d.statistics().queued)\n"
        "d.close(0)"
    )
    assert app.stdout == "1 2\n"
    assert "Traceback" not in app.stderr
