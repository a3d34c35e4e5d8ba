"""Times of the day, read and written."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from src.errors import ConfigError
from src.sweep.clock import format_seconds, parse_until

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 22, 15, 30, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("23:00", "2026-11-20 23:00:00+01:00"),
        ("06:30", "2026-11-21 06:30:00+01:00"),
        ("22:15", "2026-11-21 22:15:00+01:00"),
        ("2026-11-20 06:30", "2026-11-20 06:30:00+01:00"),
        ("2026-11-21T06:30+00:00", "2026-11-21 07:30:00+01:00"),
        # The clock is changed that night, and this time comes twice.
        ("2026-10-25 02:30", "2026-10-25 02:30:00+02:00"),
        ("2026-10-25 02:30+01:00", "2026-10-25 02:30:00+01:00"),
        # This one does not come.
        ("2027-03-28 02:30", "2027-03-28 03:30:00+02:00"),
    ],
)
def test_a_clock_time_is_the_next_moment_at_which_the_clock_shows_it(text: str, moment: str) -> None:
    assert str(parse_until(text, NOW)) == moment


def test_a_clock_time_after_one_that_comes_twice_is_that_of_the_next_day() -> None:
    first, second = (datetime(2026, 10, 25, 2, 40, tzinfo=BERLIN, fold=fold) for fold in (0, 1))
    assert str(parse_until("02:50", first)) == "2026-10-25 02:50:00+02:00"
    assert str(parse_until("02:50", second)) == "2026-10-26 02:50:00+01:00"
    assert parse_until("06:30", first).astimezone(UTC) == datetime(2026, 10, 25, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["390", "half past six", "25:00", ""])
def test_what_is_no_clock_time_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.until.*'06:30'.*in quotes"):
        parse_until(text, NOW)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (61, "1:01 min"), (3599, "59:59 min"), (7620, "2:07 h")]
)
def test_a_span_of_time_is_written_in_the_unit_that_suits_it(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
