"""Spans of time as people write them: `8h`, `90min`, `1h30min`."""

from __future__ import annotations

import re
from datetime import timedelta

from src.errors import ConfigError

_SECONDS = {"d": 86400, "h": 3600, "min": 60, "m": 60, "s": 1}
_PART = r"(\d+(?:\.\d+)?)\s*(d|h|min|m|s)"


def parse_duration(text: str, key: str) -> timedelta:
    """Returns a span of time.

    Args:
        text: Numbers with their units: `d`, `h`, `min` or `m`, and `s`.
        key: What it is given for, for the message.

    Raises:
        ConfigError: It is none, or none that is longer than nothing.
    """
    if re.fullmatch(rf"\s*({_PART}\s*)+", text):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_PART, text))
        if seconds > 0:
            return timedelta(seconds=seconds)
    raise ConfigError(f"{key} must be a time with its unit, such as 8h, 90min or 1h30min, but got {text!r}.")
