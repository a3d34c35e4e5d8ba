"""When a sweep starts: cron expressions and calendars of systemd, also on the nights on which the clock is changed."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from src.clock import has_come
from src.errors import ConfigError
from src.scheduling.calendar import Calendar
from src.scheduling.cron import Cron
from src.scheduling.when import parse_when

BERLIN = ZoneInfo("Europe/Berlin")
#: On the 29th of March 2026 two o'clock becomes three; on the 25th of October three o'clock becomes two.
BEFORE_SUMMER, BEFORE_WINTER = datetime(2026, 3, 28, 12, tzinfo=BERLIN), datetime(2026, 10, 24, 12, tzinfo=BERLIN)

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


def test_five_fields_and_nicknames_are_cron_all_else_is_systemds() -> None:
    assert isinstance(parse_when("30 22 * * 1-5"), Cron)
    assert parse_when("@daily").to_cron() == "0 0 * * *"
    with pytest.raises(ConfigError, match="is empty"):
        parse_when(" ")


@needs_systemd
def test_a_calendar_is_read_by_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    calendar = parse_when("Mon..Fri 22:30")
    assert [moment.isoformat() for moment in calendar.next_times(BEFORE_SUMMER, 2)] == [
        "2026-03-30T22:30:00+02:00",
        "2026-03-31T22:30:00+02:00",
    ]
    assert str(calendar.last_time(BEFORE_SUMMER)) == "2026-03-27 22:30:00+01:00"
    with pytest.raises(ConfigError, match=r"neither a cron expression nor a calendar of systemd: 'Mon 25:00'"):
        parse_when("Mon 25:00")
    with pytest.raises(ConfigError, match=r"the timers of this machine are cron's\. Write a cron expression"):
        calendar.to_cron()


@needs_systemd
@pytest.mark.parametrize(
    "text",
    [
        "30 22 * * 1-5",
        "0 0 1 * 5",
        "*/15 * * * *",
        "0 12 */2 * mon-fri",
        "*/20 1-5/2 * * 0,3",
        "0 4 31 1-6 *",
        "5 6 * * 7",
        "0 22 1-31 * 1-5",
        "0 0 1 * 0-6",
        "0 22 */1 * 1-5",
    ],
)
def test_systemd_starts_an_expression_when_cron_would(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    start = datetime(2026, 1, 30, 5, 1, tzinfo=UTC)
    cron = Cron(text)
    moments = {moment for calendar in cron.to_calendars() for moment in Calendar(calendar).next_times(start, 12)}
    assert sorted(moments)[:12] == cron.next_times(start, 12)


@pytest.mark.parametrize(
    ("before", "night"),
    [(BEFORE_SUMMER, "2026-03-29 03:00:00+02:00"), (BEFORE_WINTER, "2026-10-25 02:30:00+02:00")],
)
def test_cron_starts_once_on_a_night_on_which_half_past_two_is_left_out_or_comes_twice(
    before: datetime, night: str
) -> None:
    first, second, _ = Cron("30 2 * * *").next_times(before, 3)
    assert str(first) == night
    assert (second.day - first.day, second.hour, second.minute) == (1, 2, 30)


@needs_systemd
def test_systemd_leaves_out_the_night_on_which_half_past_two_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    (calendar,) = Cron("30 2 * * *").to_calendars()
    assert str(Calendar(calendar).next_times(BEFORE_SUMMER, 1)[0]) == "2026-03-30 02:30:00+02:00"
    assert str(Calendar(calendar).next_times(BEFORE_WINTER, 2)[0]) == "2026-10-25 02:30:00+02:00"


def test_what_came_last_is_what_would_have_come_next() -> None:
    cron = Cron("30 2 * * *")
    noon = datetime(2026, 3, 29, 12, tzinfo=BERLIN)
    assert str(cron.last_time(noon)) == "2026-03-29 03:00:00+02:00"
    planned = cron.next_times(noon, 1)[0]
    assert cron.last_time(planned) == planned
    assert str(Cron("30 22 * * 1-5").last_time(datetime(2026, 11, 29, 8, tzinfo=BERLIN))) == "2026-11-27 22:30:00+01:00"


@pytest.mark.parametrize(
    "text", ["50 2 * * *", pytest.param("*-*-* 02:50", marks=needs_systemd)], ids=["cron", "systemd"]
)
def test_what_came_last_is_told_by_moments_in_an_hour_that_comes_twice(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    second = datetime(2026, 10, 25, 2, 40, tzinfo=BERLIN, fold=1)
    assert str(parse_when(text).last_time(second)) == "2026-10-25 02:50:00+02:00"
    assert has_come(second.replace(minute=50, fold=0), second)
    assert not has_come(second, second.replace(minute=50, fold=0))
