"""Play the shop: ask the app about parcels, and record at once how each was delivered.

    python traffic.py FIRST LAST [--grams] [--rate 50]

plays rows FIRST to LAST of orders.csv, so many a second. `--grams` is the fault: a release of the
shop sends weights in grams, while the model was trained on kilograms.
"""

import argparse
import csv
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.request import Request, urlopen

URL = os.environ.get("PARCELS_URL", "http://127.0.0.1:8000/predict")


def main() -> None:
    """Play the rows in time."""
    options = read_options()
    with Path("orders.csv").open(newline="") as file:
        orders = list(csv.DictReader(file))[options.first : options.last]
    with closing(sqlite3.connect("shop.db")) as database:
        began = monotonic()
        for number, order in enumerate(orders):
            sleep(max(0.0, began + number / options.rate - monotonic()))
            play(order, 1_000.0 if options.grams else 1.0, database)
    print(f"{len(orders)} parcels")


def play(order: dict[str, str], times: float, database: sqlite3.Connection) -> None:
    """One order: the prediction's id is kept until the truth is known."""
    parcel = {
        "distance_km": float(order["distance_km"]),
        "weight_kg": float(order["weight_kg"]) * times,
        "carrier": order["carrier"],
    }
    prediction_id = ask(parcel)["prediction_id"]
    if prediction_id is not None:
        row = [prediction_id, order["outcome"]]
        with database:
            database.execute("INSERT INTO deliveries (prediction_id, outcome) VALUES (?, ?)", row)


def ask(parcel: dict[str, Any]) -> dict[str, Any]:
    """The app's answer."""
    headers = {"content-type": "application/json"}
    try:
        with urlopen(Request(URL, json.dumps(parcel).encode(), headers), timeout=10) as response:
            answer: dict[str, Any] = json.load(response)
    except OSError as error:
        raise SystemExit(f"{URL} does not answer: {error}. Does the app run?") from None
    return answer


def read_options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("--grams", action="store_true")
    parser.add_argument("--rate", type=float, default=50.0, help="parcels a second")
    return parser.parse_args()


if __name__ == "__main__":
    main()
