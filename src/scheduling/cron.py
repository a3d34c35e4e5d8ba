"""Cron expressions: when they come next, when they came last, and what they are as calendars of systemd."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from cronsim import CronSim, CronSimError

from src.clock import has_come
from src.errors import ConfigError

#: Short words for expressions, as `crontab` knows them.
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")

#: What cron itself takes as a field; the library knows more, such as `L`, which no crontab could hold.
_VALUE = r"(\d+|[a-zA-Z]{3})"
_ITEM = rf"((\*|{_VALUE}-{_VALUE})(/\d+)?|{_VALUE})"
_FIELD = re.compile(rf"{_ITEM}(,{_ITEM})*")


class Cron:
    """A cron expression.

    On the night on which summer time begins, what comes at an hour that is left out comes right after it; on the night
    on which it ends, what comes at an hour that is there twice comes in the first of them. That is Debian's cron.

    Attributes:
        text: The expression, of five fields.
    """

    def __init__(self, text: str) -> None:
        """Reads an expression.

        Raises:
            ConfigError: It is none, or never comes.
        """
        self.text = " ".join(_NICKNAMES.get(text.strip().lower(), text).split())
        try:
            self._parsed = CronSim(self.text, datetime(2000, 1, 1))
            if not all(_FIELD.fullmatch(field) for field in self.text.split()):
                raise CronSimError("Not a field that cron knows")
            next(CronSim(self.text, datetime(2000, 1, 1)))
        except (CronSimError, StopIteration) as error:
            reason = str(error) or "it never comes"
            raise ConfigError(
                f"schedule.when is no cron expression: {text!r} ({reason}). Write minute, hour, day of the month, "
                "month and day of the week, such as '30 22 * * 1-5' for half past ten at night from Monday to Friday."
            ) from error

    def next_times(self, after: datetime, count: int) -> list[datetime]:
        """Returns the next moments after an aware one, in its time zone."""
        return list(islice(self._iterate(after), count))

    def last_time(self, before: datetime) -> datetime | None:
        """Returns the last moment that is not after an aware one."""
        # Backwards the library treats the nights of changes otherwise: only a day before is asked of it.
        start = next(iter(CronSim(self.text, before, reverse=True)), None)
        if start is None:
            return None
        last = start
        for moment in self._iterate(start):
            if not has_come(moment, before):
                break
            last = moment
        return last

    def to_calendars(self) -> list[str]:
        """Returns the calendars of systemd that come at the same times, of which any counts."""
        parsed = self._parsed
        days = "*" if set(range(1, 32)) <= parsed.days else _join(parsed.days)
        months = "*" if set(range(1, 13)) <= parsed.months else _join(parsed.months)
        hours = "*" if set(range(24)) <= parsed.hours else _join(parsed.hours)
        minutes = "*" if set(range(60)) <= parsed.minutes else _join(parsed.minutes)
        weekdays = {int(day) % 7 for day in parsed.weekdays if isinstance(day, int)}
        names = "" if len(weekdays) == 7 else ",".join(_DAYS[day] for day in sorted(weekdays)) + " "
        clock = f"{hours}:{minutes}:00"
        if parsed.day_and:
            return [f"{names}*-{months}-{days} {clock}"]
        # With a day of the month and a day of the week, of which neither begins with a star, cron takes either.
        return [f"*-{months}-{days} {clock}", f"{names}*-{months}-* {clock}"]

    def to_cron(self) -> str:
        """Returns the expression as a crontab has it."""
        return self.text

    def _iterate(self, after: datetime) -> Iterator[datetime]:
        return CronSim(self.text, after)


def is_cron(text: str) -> bool:
    """Whether a text is meant as a cron expression."""
    return text.strip().startswith("@") or (len(text.split()) == 5 and ":" not in text)


def _join(numbers: set[int]) -> str:
    return ",".join(f"{number:02d}" for number in sorted(numbers))
