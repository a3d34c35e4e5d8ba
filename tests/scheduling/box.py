"""A machine on which the shipped sweep, shrunk, is run by the command."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from src.config.paths import PROJECT_ROOT
from tests.tiny import TINY


class Box:
    """A folder in which all that a scheduled sweep writes lies.

    Attributes:
        folder: The folder; the file `notice` in it is what the sweep's command was told.
        overrides: What makes the shipped sweep small, and has it write there.
    """

    def __init__(self, folder: Path, cache_dir: Path, migrated_database: Path) -> None:
        """Takes an empty folder."""
        shutil.copy(migrated_database, folder / "mlflow.db")
        self.folder = folder
        self._processes: list[subprocess.Popen[str]] = []
        self.overrides = [
            *TINY,
            "tracking.log_model=false",
            f"dataset.cache_dir={cache_dir}",
            f"tracking.uri=sqlite:///{folder / 'mlflow.db'}",
            f"hydra.sweeper.storage=sqlite:///{folder / 'optuna.db'}",
            f"hydra.sweep.dir={folder / 'output'}",
            f"schedule.command='{shutil.which('tee')} {folder / 'notice'}'",
        ]

    def start(self, *overrides: str) -> subprocess.Popen[str]:
        """Runs the sweep in a process of its own, whose output can be read."""
        process = subprocess.Popen(
            [sys.executable, "-m", "src.schedule", "run", "nightly", *self.overrides, *overrides],
            cwd=PROJECT_ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._processes.append(process)
        return process

    def close(self) -> None:
        """Ends what a failed test has left running."""
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
            process.communicate()
