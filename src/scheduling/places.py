"""Where scheduled sweeps keep what they leave behind, and what they have to know of each other."""

from __future__ import annotations

import os
import re
from pathlib import Path

from src.config.paths import PROJECT_ROOT
from src.errors import ConfigError


def schedule_folder() -> Path:
    """Returns the folder of the records and logs: `mlruns/schedule`, or where `FITGAP_SCHEDULE_DIR` says."""
    chosen = os.environ.get("FITGAP_SCHEDULE_DIR")
    return Path(chosen).expanduser().absolute() if chosen else PROJECT_ROOT / "mlruns" / "schedule"


def sweep_folder(name: str) -> Path:
    """Returns the folder of one sweep's records and logs."""
    return schedule_folder() / name


def check_name(name: str) -> str:
    """Returns a sweep's name that can be part of a unit's name and of a path.

    Raises:
        ConfigError: It cannot.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise ConfigError(
            f"A sweep that is scheduled has a name of letters, digits, '.', '_' and '-', but this one is {name!r}. "
            "Rename its file."
        )
    return name
