"""Alarm budgets: how they are split."""

import pytest

from driftline.core.drift.budget import PERIOD, TARGETS, alpha


def test_all_tests_of_a_period_spend_the_budget() -> None:
    spent = sum(PERIOD / target * alpha(0.005, target, 20) * 21 for target in TARGETS)
    assert spent == pytest.approx(0.005)


def test_a_larger_block_gets_a_larger_share_for_it_comes_less_often() -> None:
    assert alpha(0.005, 1_000, 20) == pytest.approx(5 * alpha(0.005, 200, 20))
