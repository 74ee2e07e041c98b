"""Publish predictions and labels from a production app, without ever slowing or breaking it."""

from driftline.sdk.client import Driftline
from driftline.sdk.statistics import Statistics

__all__ = ["Driftline", "Statistics"]
