"""Until when a sweep that has started may go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from src.config.schedule import ScheduleConfig
from src.errors import ConfigError
from src.scheduling.duration import parse_duration


def find_end(schedule: ScheduleConfig, planned: datetime, started: datetime) -> datetime | None:
    """Returns the moment at which a sweep ends; None where nothing limits it.

    Args:
        schedule: The block.
        planned: When it was to start; its clock time counts from there, so that a sweep which starts late because the
            machine was off, or another sweep was in its way, ends when it would have ended.
        started: When it starts; what limits its length counts from there.
    """
    if schedule.until is not None:
        return next_clock(schedule.until, planned)
    if schedule.time_limit is not None:
        span = parse_duration(schedule.time_limit, "schedule.time_limit")
        return (started.astimezone(UTC) + span).astimezone(started.tzinfo)
    return None


def next_clock(text: str, after: datetime) -> datetime:
    """Returns the first moment after an aware one at which the clock shows a time, in the same time zone.

    An hour that the end of summer time brings twice counts the first time; one that its beginning leaves out counts as
    if the clock had not been changed yet.

    Raises:
        ConfigError: The text is no clock time.
    """
    clock = parse_clock(text)
    for days in range(3):
        day = after.date() + timedelta(days=days)
        moment = datetime(day.year, day.month, day.day, clock.hour, clock.minute, tzinfo=after.tzinfo)
        # There and back, so that a time that is not there becomes one that is.
        moment = moment.astimezone(UTC).astimezone(after.tzinfo)
        if moment.astimezone(UTC) > after.astimezone(UTC):
            return moment
    raise AssertionError("A clock shows each time every day.")


def parse_clock(text: str) -> datetime:
    """Returns a clock time, on whatever day.

    Raises:
        ConfigError: It is none.
    """
    try:
        return datetime.strptime(text.strip(), "%H:%M")
    except ValueError:
        raise ConfigError(
            f"schedule.until must be a clock time, such as '06:30' in quotes, but got {text!r}."
        ) from None
