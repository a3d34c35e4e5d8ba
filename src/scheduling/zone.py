"""The machine's time zone, with its rules for summer time."""

from __future__ import annotations

import os
from datetime import UTC, datetime
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


def has_come(moment: datetime, now: datetime) -> bool:
    """Whether a moment has come; within one time zone Python compares what the clocks show, and not the moments."""
    return moment.astimezone(UTC) <= now.astimezone(UTC)


def local_now() -> datetime:
    """Returns the present moment in the machine's time zone."""
    return datetime.now(local_zone())
