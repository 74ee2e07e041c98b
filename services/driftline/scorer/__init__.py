"""Predictions over HTTP from what is deployed, each of them published."""
