"""Marks that several folders of tests use."""

import os

import pytest

long = pytest.mark.skipif(
    "DRIFTLINE_LONG_TESTS" not in os.environ,
    reason="takes minutes, and shorter tests cover most of it: set DRIFTLINE_LONG_TESTS to run it",
)
