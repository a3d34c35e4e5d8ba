"""When a sweep starts: a cron expression, or a calendar of systemd."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from src.errors import ConfigError
from src.scheduling.calendar import Calendar
from src.scheduling.cron import Cron, is_cron


class When(Protocol):
    """The moments at which a sweep starts."""

    text: str

    def next_times(self, after: datetime, count: int) -> list[datetime]:
        """Returns the next moments after an aware one, in its time zone."""
        ...

    def last_time(self, before: datetime) -> datetime | None:
        """Returns the last moment that is not after an aware one."""
        ...

    def to_calendars(self) -> list[str]:
        """Returns the calendars of systemd that come at these moments, of which any counts."""
        ...

    def to_cron(self) -> str:
        """Returns the cron expression that comes at these moments.

        Raises:
            ConfigError: There is none.
        """
        ...


def parse_when(text: str) -> When:
    """Reads `schedule.when`.

    Raises:
        ConfigError: It is neither a cron expression nor a calendar of systemd.
    """
    if not text.strip():
        raise ConfigError("schedule.when is empty. Write a cron expression, such as '30 22 * * 1-5'.")
    return Cron(text) if is_cron(text) else Calendar(text)
