"""Make what the example needs: a model, its reference, orders to come, a table for deliveries.

Writes model.joblib, reference.csv, orders.csv and shop.db into the current folder. The parcels are
made up, from a seed. Yours come from your own past.
"""

import csv
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import joblib
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Parcel = dict[str, float | str]

CARRIERS = {"bike": 0.5, "van": 0.0, "train": -0.5}  # how much later than the others
DELIVERIES = """
    CREATE TABLE deliveries (
        prediction_id TEXT PRIMARY KEY,  -- what the app answered when the parcel was ordered
        outcome TEXT NOT NULL,           -- "late" or "on_time"
        delivered_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
    )
"""


def main() -> None:
    """Learn from the first parcels; the reference is made of later ones, unseen by the model."""
    chance = Random(7)
    parcels = [parcel(chance) for _ in range(10_000)]
    outcomes = [outcome(each, chance) for each in parcels]
    model = make_pipeline(DictVectorizer(sparse=False), StandardScaler(), LogisticRegression())
    model.fit(parcels[:4_000], outcomes[:4_000])
    joblib.dump(model, "model.joblib")
    unseen, truth = parcels[4_000:6_000], outcomes[4_000:6_000]
    save("reference.csv", unseen, predicted=model.predict(unseen), outcome=truth)
    save("orders.csv", parcels[6_000:], outcome=outcomes[6_000:])
    with closing(sqlite3.connect("shop.db")) as database:
        database.execute("PRAGMA journal_mode = WAL")  # the shop writes while the label job reads
        database.execute("DROP TABLE IF EXISTS deliveries")
        database.execute(DELIVERIES)


def parcel(chance: Random) -> Parcel:
    """One parcel: 20 to 800 km, 0.1 to 30 kg."""
    return {
        "distance_km": round(chance.uniform(20, 800), 1),
        "weight_kg": round(30 * chance.random() ** 2 + 0.1, 2),
        "carrier": chance.choice(list(CARRIERS)),
    }


def outcome(parcel: Mapping[str, float | str], chance: Random) -> str:
    """What becomes of it: far and heavy parcels come late more often."""
    slow = float(parcel["distance_km"]) / 200 + float(parcel["weight_kg"]) / 8
    return "late" if slow + CARRIERS[str(parcel["carrier"])] > chance.gauss(4, 0.7) else "on_time"


def save(path: str, parcels: Sequence[Parcel], **columns: Iterable[str]) -> None:
    """The parcels, and more columns, as CSV with a header."""
    with Path(path).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*parcels[0], *columns])
        for parcel, *more in zip(parcels, *columns.values(), strict=True):
            writer.writerow([*parcel.values(), *more])


if __name__ == "__main__":
    main()
