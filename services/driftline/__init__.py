"""Driftline keeps models in production honest."""
