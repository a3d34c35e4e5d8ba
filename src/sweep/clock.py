"""Times of the day and spans of time, as people write and read them."""

from __future__ import annotations

from datetime import datetime

from src.clock import local_now, next_clock, settle
from src.errors import ConfigError


def parse_until(text: str, now: datetime | None = None) -> datetime:
    """Returns the aware moment that `hydra.sweeper.until` names: `06:30` is the next time that the clock shows it.

    Args:
        text: `HH:MM`, or `YYYY-MM-DD HH:MM`, in local time unless a time zone is added: `2026-11-21 06:30+01:00`.
        now: The present moment, aware.

    Raises:
        ConfigError: It is neither.
    """
    now = now or local_now()
    try:
        return next_clock(datetime.strptime(text.strip(), "%H:%M").time(), now)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigError(
            f"hydra.sweeper.until must be a clock time, but got {text!r}. Write '06:30' or '2026-11-21 06:30', in "
            "quotes."
        ) from None
    return moment.astimezone(now.tzinfo) if moment.tzinfo is not None else settle(moment, now.tzinfo)


def format_seconds(seconds: float) -> str:
    """Returns a span of time in words that fit into a table: `42 s`, `3:05 min`, `2:07 h`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
