"""Hear Driftline's alerts and act on each revision of each incident, in order.

Prints a line, and runs the command in ALERT_HOOK, if there is one, with the alert as JSON on its
standard input. An offset is committed once the alert was handled, so the last alert may come again
after a crash; `alert_id` and `revision` tell that it was handled. (If the crash fell between the
hook and the note of it, the hook runs again: let it use `alert_id` as its key.)
"""

import os
import shlex
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress

from confluent_kafka import Consumer, Message

from driftline_schemas.alerts import Alert
from driftline_schemas.codec import UnreadableEvent, decode, encode

TOPIC = f"{os.environ.get('DRIFTLINE_TOPIC_PREFIX', 'driftline')}.alerts.v1"
SETTINGS = {
    "bootstrap.servers": os.environ.get("DRIFTLINE_BROKERS", "localhost:9092"),
    "group.id": f"{TOPIC}.example-subscriber",  # one group for each purpose: it holds the offsets
    "auto.offset.reset": "earliest",  # the first start hears what happened before
    "enable.auto.commit": False,
    "isolation.level": "read_committed",
}
TABLE = """
    CREATE TABLE IF NOT EXISTS incidents (
        alert_id TEXT PRIMARY KEY, revision INTEGER NOT NULL, status TEXT NOT NULL
    )
"""
WHAT_TO_DO = {
    "firing": "OPEN  ",  # somebody should look
    "worse": "WORSE ",  # the same incident: no second page
    "resolved": "CLOSE ",
    "retracted": "CANCEL",  # corrected labels showed that there was nothing
}


def main() -> None:
    """Handle alerts until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with closing(Consumer(SETTINGS)) as consumer, closing(sqlite3.connect("incidents.db")) as known:
        known.execute(TABLE)
        consumer.subscribe([TOPIC])
        with suppress(KeyboardInterrupt):
            while True:
                if message := consumer.poll(1.0):
                    take(message, known, consumer)


def take(message: Message, known: sqlite3.Connection, consumer: Consumer) -> None:
    """Handle one record, then commit its offset."""
    if error := message.error():
        print(f"{TOPIC}: {error.str()}", file=sys.stderr)
        return
    try:
        handle(decode(Alert, message.value()), known)
    except UnreadableEvent as error:
        print(f"{TOPIC} at offset {message.offset()}: {error}", file=sys.stderr)
    consumer.commit(message=message, asynchronous=False)


def handle(alert: Alert, known: sqlite3.Connection) -> None:
    """Act on a revision that is news, then note it."""
    found = known.execute("SELECT revision FROM incidents WHERE alert_id = ?", [alert.alert_id])
    if alert.revision <= (found.fetchone() or [0])[0]:
        return
    act(alert)
    with known:
        row = [alert.alert_id, alert.revision, alert.status]
        known.execute("INSERT OR REPLACE INTO incidents VALUES (?, ?, ?)", row)


def act(alert: Alert) -> None:
    """Say it, and run the hook. A hook that fails ends the program: restarted, it tries again."""
    said = f"{alert.alert_id} {alert.model} {alert.check}: {alert.summary}"
    print(WHAT_TO_DO[alert.status], said, flush=True)
    if hook := os.environ.get("ALERT_HOOK"):
        try:
            subprocess.run(shlex.split(hook), input=encode(alert) + b"\n", check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"ALERT_HOOK failed ({error}). At the next start it gets this alert again.")


if __name__ == "__main__":
    main()
