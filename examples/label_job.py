"""Read outcomes from the shop's database and send each as a label, at least once.

The table `sent_labels` says what Driftline has. It is written after Kafka's acknowledgement: a job
that is killed in between sends a batch again, which is harmless, because Driftline drops repeats.
An outcome that was changed meanwhile is sent as a correction. A row is new if it was not sent, and
not if it lies behind some last id or time: a transaction that commits late would slip past those.

With Postgres: `psycopg.connect(...)`, `%s` for `?`, and `now() - interval '7 days'` in NEW. All
else stays, and `delivered_at` may be a `timestamptz`.
"""

import logging
import os
import sqlite3
from contextlib import closing, suppress
from time import sleep

from driftline.sdk import Driftline

MODEL = "parcels"
SECONDS_BETWEEN = 1.0
# A label is joined up to seven days after its prediction (DRIFTLINE_LABEL_HORIZON).
NEW = """
    SELECT prediction_id, outcome, delivered_at
    FROM deliveries LEFT JOIN sent_labels USING (prediction_id)
    WHERE (sent_labels.label IS NULL OR sent_labels.label <> outcome)
      AND delivered_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-7 days')
    ORDER BY delivered_at LIMIT 500
"""
TABLE = """
    CREATE TABLE IF NOT EXISTS sent_labels (prediction_id TEXT PRIMARY KEY, label TEXT NOT NULL)
"""
SENT = """
    INSERT INTO sent_labels VALUES (?, ?)
    ON CONFLICT (prediction_id) DO UPDATE SET label = excluded.label
"""

log = logging.getLogger("label_job")


def main() -> None:
    """Look for new outcomes until the process is ended; it may be killed at any time."""
    logging.basicConfig(level=logging.INFO)
    client = Driftline(
        os.environ.get("DRIFTLINE_BROKERS", "localhost:9092"),
        os.environ.get("DRIFTLINE_TOPIC_PREFIX", "driftline"),
        task="binary",
    )
    with closing(sqlite3.connect("shop.db")) as database, client, suppress(KeyboardInterrupt):
        database.cursor().execute(TABLE)
        while True:
            if sent := send_new(database, client):
                log.info("sent %d labels", sent)
            else:
                sleep(SECONDS_BETWEEN)


def send_new(database: sqlite3.Connection, client: Driftline) -> int:
    """Send the next outcomes, and remember them once Kafka has them all; how many there were."""
    rows = database.cursor()
    rows.execute(NEW)
    lost = failures(client)
    sent = [
        (prediction_id, outcome)
        for prediction_id, outcome, delivered_at in rows.fetchall()
        if client.log_label(
            model=MODEL, prediction_id=prediction_id, label=outcome, labelled_at=delivered_at
        )
    ]
    while waiting := client.flush(30):
        log.warning("%d labels wait for Kafka", waiting)
    if failures(client) > lost:
        log.warning("Kafka did not take all of %d labels: they are sent again", len(sent))
        sent = []
    rows.executemany(SENT, sent)
    database.commit()
    return len(sent)


def failures(client: Driftline) -> int:
    """Records that were given up after they had been queued."""
    return sum(client.statistics().failed.values())


if __name__ == "__main__":
    main()
