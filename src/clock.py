"""The clock on the wall: the present moment in the machine's time zone, with its rules for summer time."""

from __future__ import annotations

import os
from datetime import UTC, datetime, time, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

#: Which file of the time zone database counts, on Linux and macOS.
_LOCALTIME = Path("/etc/localtime")


def local_zone() -> ZoneInfo:
    """Returns the time zone that `TZ` names, else that of the machine; UTC where neither can be told."""
    if named := _find_name():
        return _find_zone(named) or ZoneInfo("UTC")
    target = str(_LOCALTIME.resolve())
    _, found, name = target.partition("/zoneinfo/")
    try:
        if found:
            return ZoneInfo(name)
        with _LOCALTIME.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def find_unknown() -> str | None:
    """Returns what `TZ` says where that is no zone of the database, such as `CET-1CEST`; None where all is well."""
    named = _find_name()
    return named if named and _find_zone(named) is None else None


def _find_name() -> str:
    return os.environ.get("TZ", "").lstrip(":")


def _find_zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def local_now() -> datetime:
    """Returns the present moment in the machine's time zone."""
    return datetime.now(local_zone())


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Returns the seconds from one aware moment to another; below 0 where they come the other way round.

    Within one time zone Python itself subtracts what the clocks show, and not the moments.
    """
    return (later.astimezone(UTC) - earlier.astimezone(UTC)).total_seconds()


def has_come(moment: datetime, now: datetime) -> bool:
    """Whether an aware moment has come."""
    return seconds_between(now, moment) <= 0


def next_clock(clock: time, after: datetime) -> datetime:
    """Returns the first moment after an aware one at which the clock shows a time, in the same time zone.

    An hour that the end of summer time brings twice counts the first time; one that its beginning leaves out counts as
    if the clock had not been changed yet.
    """
    for days in range(3):
        moment = settle(datetime.combine(after.date() + timedelta(days=days), clock), after.tzinfo)
        if not has_come(moment, after):
            return moment
    raise AssertionError("A clock shows each time every day.")


def settle(moment: datetime, zone: tzinfo | None) -> datetime:
    """Returns the moment at which the clock of a time zone shows a date and time, by the rules of `next_clock`."""
    # There and back, so that a time that is not there becomes one that is.
    return moment.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
