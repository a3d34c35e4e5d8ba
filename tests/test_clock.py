"""The clock on the wall, above all in the nights on which it is changed."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from src.clock import find_unknown, has_come, local_now, local_zone, next_clock, seconds_between, settle
from src.scheduling.finding import MEND
from src.scheduling.machine import examine_machine

BERLIN = ZoneInfo("Europe/Berlin")
EVENING = datetime(2026, 3, 28, 22, 30, tzinfo=BERLIN)
#: Half past two of the night in which it comes twice.
FIRST, SECOND = (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold) for fold in (0, 1))


@pytest.mark.parametrize(
    ("clock", "after", "moment"),
    [
        (time(22, 30), EVENING, "2026-03-29 22:30:00+02:00"),
        (time(22, 31), EVENING, "2026-03-28 22:31:00+01:00"),
        # There is no half past two this night.
        (time(2, 30), EVENING, "2026-03-29 03:30:00+02:00"),
        # It is there twice.
        (time(2, 30), datetime(2026, 10, 24, 22, tzinfo=BERLIN), "2026-10-25 02:30:00+02:00"),
        (time(2, 30), datetime(2026, 10, 25, 2, 40, tzinfo=BERLIN), "2026-10-26 02:30:00+01:00"),
        (time(2, 30), datetime(2026, 10, 25, 2, 20, tzinfo=BERLIN, fold=1), "2026-10-26 02:30:00+01:00"),
    ],
)
def test_the_next_time_that_the_clock_shows(clock: time, after: datetime, moment: str) -> None:
    assert str(next_clock(clock, after)) == moment


def test_an_hour_that_comes_twice_is_an_hour_longer_than_the_clock_shows() -> None:
    assert seconds_between(FIRST, SECOND) == 3600
    assert not has_come(SECOND, FIRST)
    assert has_come(FIRST, SECOND)
    assert has_come(FIRST, FIRST)


def test_a_time_that_is_left_out_is_taken_as_if_the_clock_had_not_been_changed_yet() -> None:
    assert str(settle(datetime(2026, 3, 29, 2, 30), BERLIN)) == "2026-03-29 03:30:00+02:00"
    assert settle(datetime(2026, 10, 25, 2, 30), BERLIN).astimezone(UTC) == FIRST.astimezone(UTC)


def test_the_time_zone_is_the_one_that_the_shell_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", ":Asia/Kolkata")
    assert (local_zone(), find_unknown()) == (ZoneInfo("Asia/Kolkata"), None)
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    assert find_unknown() == "CET-1CEST,M3.5.0,M10.5.0/3"
    assert [finding.state for finding in examine_machine([]) if finding.what == "clock"] == [MEND]
    monkeypatch.delenv("TZ")
    assert local_now().utcoffset() == datetime.now().astimezone().utcoffset()
