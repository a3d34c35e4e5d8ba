"""GPUs that are made up, by a file: to test, and to try out schedules and layouts, on a machine that has none.

    FITGAP_GPUS=gpus.json

names a JSON file that lists them, for example

    [{"name": "RTX A5000", "memory_mb": 24564, "used_mb": 9000,
      "processes": [{"pid": 4711, "name": "python", "used_mb": 8600}]}]

Everything that asks for GPUs then believes it, and reads it anew each time; TensorFlow does not, and computes on what
there is.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from src.errors import ConfigError

#: Environment variable that names the file.
VARIABLE = "FITGAP_GPUS"

#: What an entry may say, and of what kind that is.
_KINDS = {
    "name": str,
    "uuid": str,
    "driver": str,
    "memory_mb": int | float,
    "used_mb": int | float,
    "utilization": int | float,
    "processes": list,
}


def find_file() -> Path | None:
    """Returns the file; None where the machine's own GPUs count."""
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    path = Path(named).absolute()
    # Processes that inherit it may be in another folder.
    os.environ[VARIABLE] = str(path)
    return path


def read_file(path: Path) -> list[dict[str, Any]]:
    """Returns its entries, each with a name and a list of processes.

    Raises:
        ConfigError: It cannot be read, or does not describe GPUs.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _refuse(path, f"cannot be read: {error}") from error
    if not isinstance(entries, list):
        raise _refuse(path, f"must hold a list, but holds {type(entries).__name__}")
    for entry in entries:
        _check_entry(path, entry)
    return [{"processes": [], **entry} for entry in entries]


def _check_entry(path: Path, entry: object) -> None:
    if not isinstance(entry, dict) or "name" not in entry:
        raise _refuse(path, f"must list GPUs with at least a name, but has {entry!r}")
    for key, value in entry.items():
        if key not in _KINDS:
            raise _refuse(path, f"says {key!r} of a GPU, which is none of {', '.join(_KINDS)}")
        if not isinstance(value, _KINDS[key]) or isinstance(value, bool):
            raise _refuse(path, f"says {key}={value!r} of a GPU, which is of the wrong kind")
    for process in entry.get("processes", []):
        if not isinstance(process, dict) or not isinstance(process.get("pid"), int):
            raise _refuse(path, f"must list processes with at least a pid, but has {process!r}")


def _refuse(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{VARIABLE} names {path}, which {why}. Mend it, or unset {VARIABLE} for the GPUs that there are."
    )
