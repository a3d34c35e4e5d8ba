"""The values of a trial's parameters, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def describe_values(values: Mapping[str, Any]) -> str:
    """Returns parameters in short: `dropout=0.31, learning_rate=0.00052`."""
    return ", ".join(
        f"{key.rpartition('.')[2]}={f'{value:.3g}' if isinstance(value, float) else value}"
        for key, value in values.items()
    )
