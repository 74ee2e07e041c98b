"""Joins predictions with their labels and counts them into one journal per model."""
