"""Calendars of systemd, such as `Mon..Fri 22:30`, which systemd itself reads for us."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

from src.clock import local_now
from src.errors import ConfigError

_SECONDS = 30
#: Moments looked at within a span before it is taken for too long.
_MOST = 3000
#: Spans that are searched for the last moment, the shortest first: a calendar that comes every minute has many.
_SPANS = tuple(timedelta(days=days) for days in (1, 8, 32, 370, 1500))
_MOMENT = re.compile(
    r"(?:Next elapse|Iteration #\d+|Iter\. #\d+|\(in UTC\)): \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC"
)


class Calendar:
    """A calendar of systemd, in the machine's time zone unless it names another one.

    What comes at an hour that the beginning of summer time leaves out does not come that night; what comes at an hour
    that its end brings twice comes in the first of them. That is systemd, of which the moments are asked.

    Attributes:
        text: The calendar.
    """

    def __init__(self, text: str) -> None:
        """Reads a calendar.

        Raises:
            ConfigError: It is none, never comes, or systemd is not there to say so.
        """
        self.text = text.strip()
        if not self.next_times(local_now(), 1):
            raise ConfigError(f"schedule.when never comes: {text!r}.")

    def next_times(self, after: datetime, count: int) -> list[datetime]:
        """Returns the next moments after an aware one, in its time zone."""
        program = shutil.which("systemd-analyze")
        if program is None:
            raise ConfigError(
                f"schedule.when is a calendar of systemd, {self.text!r}, but systemd-analyze, which reads it, is not "
                "on this machine. Write a cron expression, such as '30 22 * * 1-5'."
            )
        base = after.astimezone(UTC)
        answer = subprocess.run(
            [program, "calendar", f"--iterations={count}", f"--base-time={base:%Y-%m-%d %H:%M:%S} UTC", self.text],
            env={**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0"},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if answer.returncode != 0:
            reason = (answer.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise ConfigError(
                f"schedule.when is neither a cron expression nor a calendar of systemd: {self.text!r} ({reason}). "
                "Write '30 22 * * 1-5' or 'Mon..Fri 22:30'."
            )
        moments = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in _MOMENT.findall(answer.stdout)]
        return [moment.astimezone(after.tzinfo) for moment in moments]

    def last_time(self, before: datetime) -> datetime | None:
        """Returns the last moment that is not after an aware one; None where there is none for years."""
        base = before.astimezone(UTC)
        for span in _SPANS:
            moments = [moment for moment in self.next_times(base - span, _MOST) if moment <= base]
            if moments:
                return moments[-1].astimezone(before.tzinfo)
        return None

    def to_calendars(self) -> list[str]:
        """Returns the calendars of systemd that it stands for: itself."""
        return [self.text]

    def to_cron(self) -> str:
        """Raises what says that there is no such cron expression.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            f"schedule.when is a calendar of systemd, {self.text!r}, but the timers of this machine are cron's. Write "
            "a cron expression, such as '30 22 * * 1-5'."
        )
