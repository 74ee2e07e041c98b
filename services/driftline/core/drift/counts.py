"""Counts of predictions by feature and bin: what a pane carries, and how two of them add up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

Counts: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]  # by bin, of one feature
BlockCounts: TypeAlias = dict[str, Counts]  # by feature


def merged(left: Mapping[str, Counts], right: Mapping[str, Counts]) -> BlockCounts:
    """Sum per feature, in new arrays; a feature that only one side has keeps its counts.

    Raises ValueError if a feature was counted by bins of different sizes.
    """
    total = {name: counts.copy() for name, counts in left.items()}
    for name, counts in right.items():
        total[name] = total[name] + counts if name in total else counts.copy()
    return total
