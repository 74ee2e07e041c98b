"""Serve a scikit-learn model over HTTP, and tell Driftline what it answers."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import joblib
from fastapi import FastAPI
from pydantic import BaseModel

from driftline.sdk import Driftline

MODEL, VERSION = "parcels", "2026-11-01"

logging.basicConfig()  # the SDK never raises: it warns on the logger `driftline.sdk`


class Parcel(BaseModel):
    """What the model looks at."""

    distance_km: float
    weight_kg: float
    carrier: str


class Answer(BaseModel):
    """Keep `prediction_id` with the order: the label will need it. None: it was not recorded."""

    prediction_id: str | None
    prediction: str
    probability: float


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client for each worker process; leaving `with` flushes what still waits."""
    app.state.model = joblib.load("model.joblib")
    with Driftline(
        os.environ.get("DRIFTLINE_BROKERS", "localhost:9092"),
        os.environ.get("DRIFTLINE_TOPIC_PREFIX", "driftline"),
        task="binary",
        producer_name="parcels-app",
        producer_version=VERSION,
    ) as app.state.driftline:
        yield


app = FastAPI(title="Will this parcel be late?", lifespan=lifespan)


@app.post("/predict")
def predict(parcel: Parcel) -> Answer:
    """Answer, and log the very features that the model saw."""
    features = parcel.model_dump()
    probabilities = app.state.model.predict_proba([features])[0]
    by_class = dict(zip(app.state.model.classes_, map(float, probabilities), strict=True))
    prediction = max(by_class, key=by_class.__getitem__)
    prediction_id = app.state.driftline.log_prediction(
        model=MODEL,
        model_version=VERSION,
        features=features,
        prediction=prediction,
        probabilities=by_class,
    )
    return Answer(
        prediction_id=prediction_id, prediction=prediction, probability=by_class[prediction]
    )
