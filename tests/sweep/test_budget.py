"""The budget of a search: totals across restarts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from src.config.sweeper import SweeperConfig
from src.sweep import budget as budget_module
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


#: Moments of the nights in which the clock is changed, and how many minutes are left then until `until`.
NIGHTS = {
    "first half past two, until the second": ("2026-10-25 00:30", "2026-10-25 02:30+01:00", 60),
    "first half past two, until half past six": ("2026-10-25 00:30", "06:30", 300),
    "second half past two, after the first": ("2026-10-25 01:30", "2026-10-25 02:30", -60),
    "half past one, until half past three": ("2026-03-29 00:30", "03:30", 60),
}


@pytest.mark.parametrize(("moment", "until", "minutes"), NIGHTS.values(), ids=NIGHTS)
def test_what_is_left_in_a_night_on_which_the_clock_is_changed_is_counted_in_moments(
    moment: str, until: str, minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC).astimezone(ZoneInfo("Europe/Berlin"))
    monkeypatch.setattr(budget_module, "local_now", lambda: now)
    monkeypatch.setattr("src.sweep.clock.local_now", lambda: now)
    budget = Budget(SweeperConfig(until=until), 0)
    assert budget.left == minutes * 60
    assert (budget.find_end() is not None) == (minutes < 0)
