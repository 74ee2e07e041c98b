"""How surprising must one test be, so that all tests together keep the accepted false alarms?"""

from typing import Final

TARGETS: Final = (200, 1_000, 5_000)  # predictions a block must hold, ascending
PERIOD: Final = 5_000  # predictions over which the budget is stated


def alpha(budget: float, target: int, features: int) -> float:
    """Level of one test of one scope on one block.

    `budget` is the number of false alarms accepted per 5,000 predictions. Each target gets an equal
    share, spread over its PERIOD / target blocks, and over the features and the prediction.
    """
    return budget / len(TARGETS) * target / PERIOD / (features + 1)
