"""The machine's time zone, with its rules for summer time."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

#: Which file of the time zone database counts, on Linux and macOS.
_LOCALTIME = Path("/etc/localtime")


def local_zone() -> ZoneInfo:
    """Returns the time zone that `TZ` names, else that of the machine; UTC where neither can be told."""
    named = os.environ.get("TZ", "").lstrip(":")
    if named:
        try:
            return ZoneInfo(named)
        except (ZoneInfoNotFoundError, ValueError):
            return ZoneInfo("UTC")
    target = str(_LOCALTIME.resolve())
    _, found, name = target.partition("/zoneinfo/")
    try:
        if found:
            return ZoneInfo(name)
        with _LOCALTIME.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def local_now() -> datetime:
    """Returns the present moment in the machine's time zone."""
    return datetime.now(local_zone())
