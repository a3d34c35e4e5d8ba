"""The budget of a search: totals across restarts."""

from __future__ import annotations

from datetime import datetime, timedelta

from src.config.sweeper import SweeperConfig
from src.sweep.budget import Budget


def test_without_limits_there_is_no_end() -> None:
    budget = Budget(SweeperConfig(), used_before=1e9)
    assert budget.left is None
    assert budget.find_end() is None


def test_a_timeout_counts_what_earlier_processes_have_used() -> None:
    assert Budget(SweeperConfig(timeout=100), used_before=40).find_end() is None
    spent = Budget(SweeperConfig(timeout=100), used_before=100)
    assert spent.find_end() == "hydra.sweeper.timeout of 1:40 min is used up"
    assert spent.left is not None
    assert spent.left <= 0


def test_a_moment_that_has_passed_is_the_end() -> None:
    past, future = datetime.now() - timedelta(minutes=2), datetime.now() + timedelta(minutes=2)
    assert "is past" in str(Budget(SweeperConfig(until=f"{past:%Y-%m-%d %H:%M}"), 0).find_end())
    assert Budget(SweeperConfig(until=f"{future:%Y-%m-%d %H:%M}"), 0).find_end() is None


def test_the_nearer_of_two_limits_counts() -> None:
    future = datetime.now() + timedelta(hours=5)
    left = Budget(SweeperConfig(timeout=60, until=f"{future:%Y-%m-%d %H:%M}"), used_before=20).left
    assert left is not None
    assert left <= 40
