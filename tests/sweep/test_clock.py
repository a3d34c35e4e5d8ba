"""Times of the day, read and written."""

from __future__ import annotations

from datetime import datetime

import pytest

from src.errors import ConfigError
from src.sweep.clock import format_seconds, parse_until

NOW = datetime(2026, 11, 20, 22, 15, 30)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("23:00", datetime(2026, 11, 20, 23, 0)),
        ("06:30", datetime(2026, 11, 21, 6, 30)),
        ("22:15", datetime(2026, 11, 21, 22, 15)),
        ("2026-11-20 06:30", datetime(2026, 11, 20, 6, 30)),
    ],
)
def test_a_clock_time_is_the_next_moment_at_which_the_clock_shows_it(text: str, moment: datetime) -> None:
    assert parse_until(text, NOW) == moment


def test_a_moment_with_a_time_zone_can_be_compared_to_the_clock() -> None:
    assert parse_until("2026-11-21T06:30+00:00", NOW) == parse_until("2026-11-21T05:30-01:00", NOW)
    assert parse_until("2026-11-21T06:30+00:00", NOW).tzinfo is None


@pytest.mark.parametrize("text", ["390", "half past six", "25:00", ""])
def test_what_is_no_clock_time_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.until.*'06:30'.*in quotes"):
        parse_until(text, NOW)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (61, "1:01 min"), (3599, "59:59 min"), (7620, "2:07 h")]
)
def test_a_span_of_time_is_written_in_the_unit_that_suits_it(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
