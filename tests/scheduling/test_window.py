"""Until when a sweep may go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from src.config.schedule import ScheduleConfig
from src.errors import ConfigError
from src.scheduling.duration import parse_duration
from src.scheduling.window import find_end
from src.sweep.clock import parse_until

BERLIN = ZoneInfo("Europe/Berlin")
EVENING = datetime(2026, 3, 28, 22, 30, tzinfo=BERLIN)


def test_a_clock_time_counts_from_when_the_sweep_was_to_start_however_late_it_does() -> None:
    schedule = ScheduleConfig(until="06:30")
    morning = datetime(2026, 3, 29, 6, 30, tzinfo=BERLIN)
    assert find_end(schedule, EVENING, EVENING) == morning
    # The machine was off until ten.
    assert find_end(schedule, EVENING, datetime(2026, 3, 29, 10, 0, tzinfo=BERLIN)) == morning


def test_a_length_counts_from_when_the_sweep_starts_and_not_by_the_clock() -> None:
    schedule = ScheduleConfig(time_limit="8h")
    # One of the hours is left out this night.
    assert str(find_end(schedule, EVENING, EVENING)) == "2026-03-29 07:30:00+02:00"
    assert find_end(ScheduleConfig(), EVENING, EVENING) is None


@pytest.mark.parametrize("fold", [0, 1])
def test_the_search_reads_the_end_that_it_is_given_also_in_the_hour_that_comes_twice(fold: int) -> None:
    end = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold)
    assert parse_until(end.isoformat()).astimezone(UTC) == end.astimezone(UTC)


def test_lengths_are_written_with_their_units() -> None:
    lengths = {"8h": 480, "90min": 90, "1h30min": 90, "1.5h": 90, "1 h 30 m": 90, "2d": 2880, "120s": 2}
    assert {text: parse_duration(text, "x") / timedelta(minutes=1) for text in lengths} == lengths


@pytest.mark.parametrize("text", ["8", "", "h", "8 hours", "0h", "-1h"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"schedule\.time_limit must be a time with its unit"):
        parse_duration(text, "schedule.time_limit")
