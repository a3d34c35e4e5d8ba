"""Timers: what has systemd or cron start a sweep, what of it is there already, and what has to be done about it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from src.config.paths import PROJECT_ROOT
from src.errors import ScheduleError
from src.scheduling.sweep_file import ScheduledSweep

#: Variables of the shell that a timer's sweep needs as the sweep by hand does, besides all that begin with FITGAP_.
_VARIABLES = (
    "MLFLOW_TRACKING_URI",
    "CUDA_VISIBLE_DEVICES",
    "KERAS_HOME",
    "LD_LIBRARY_PATH",
    "HTTPS_PROXY",
    "NO_PROXY",
    "https_proxy",
    "no_proxy",
)
#: Those that only whoever the sweep is may read.
_SECRETS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")


@dataclass(frozen=True)
class Change:
    """What an installation or a removal did, or would do.

    Attributes:
        texts: What was written, by file; None where the file was removed.
        said: What the person should know, in lines.
    """

    texts: dict[str, str | None]
    said: list[str]


class Timers(Protocol):
    """Whatever starts sweeps."""

    name: str

    def install(self, sweeps: Sequence[ScheduledSweep], *, dry_run: bool) -> Change:
        """Has sweeps started; those that are installed as they should be stay as they are.

        Raises:
            ScheduleError: It cannot be done.
        """
        ...

    def remove(self, names: Sequence[str], *, dry_run: bool) -> Change:
        """Has sweeps started no more.

        Raises:
            ScheduleError: It cannot be done.
        """
        ...

    def list_installed(self) -> list[str]:
        """Returns the names of this checkout's sweeps that are installed."""
        ...

    def is_current(self, sweep: ScheduledSweep) -> bool:
        """Whether what is installed of a sweep is what would be installed now."""
        ...


def find_python() -> str:
    """Returns the interpreter that a timer starts, which is the one that runs now."""
    return sys.executable


def find_environment(*, private: bool) -> dict[str, str]:
    """Returns the variables that a timer's sweep gets, since no shell has set them for it.

    Args:
        private: Whether nobody else can see them: only then what signs in at a tracking server is among them.
    """
    names = (*_VARIABLES, *_SECRETS) if private else _VARIABLES
    kept = {key: value for key, value in os.environ.items() if key.startswith("FITGAP_") or key in names}
    return dict(sorted(kept.items()))


def run_arguments(name: str) -> list[str]:
    """Returns the command of a timer."""
    return [find_python(), "-m", "src.schedule", "run", name, "--by-timer"]


def open_timers(kind: str) -> Timers:
    """Returns the machine's timers.

    Args:
        kind: `systemd`, `cron`, or `auto` for systemd where it runs the machine, else cron.

    Raises:
        ScheduleError: There is neither.
    """
    from src.scheduling.crontab import Crontab
    from src.scheduling.systemd import Systemd

    if kind == "systemd" or (kind == "auto" and Path("/run/systemd/system").is_dir()):
        return Systemd(PROJECT_ROOT)
    if kind == "cron" or shutil.which("crontab"):
        return Crontab(PROJECT_ROOT)
    raise ScheduleError(
        "Nothing on this machine starts programs by itself: systemd does not run it, and there is no crontab. Install "
        "cron, or run `python -m src.schedule run NAME` by other means."
    )
