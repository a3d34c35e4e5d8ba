"""Until when a sweep that has started may go on."""

from __future__ import annotations

from datetime import UTC, datetime, time

from src.clock import next_clock
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
        return next_clock(parse_clock(schedule.until), planned)
    if schedule.time_limit is not None:
        span = parse_duration(schedule.time_limit, "schedule.time_limit")
        return (started.astimezone(UTC) + span).astimezone(started.tzinfo)
    return None


def parse_clock(text: str) -> time:
    """Returns a clock time.

    Raises:
        ConfigError: It is none.
    """
    try:
        return datetime.strptime(text.strip(), "%H:%M").time()
    except ValueError:
        raise ConfigError(
            f"schedule.until must be a clock time, such as '06:30' in quotes, but got {text!r}."
        ) from None
