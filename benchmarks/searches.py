"""What benchmarks of searches share: a command run as people run it, in an empty folder, and what it left there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from src.config.paths import PROJECT_ROOT

#: Folder with rivals that are Hydra plugins.
RIVALS = PROJECT_ROOT / "benchmarks" / "rivals"


@dataclass(frozen=True)
class Span:
    """From when to when something was done, in seconds on the system's clock."""

    started: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.started


def run_command(module: str, arguments: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None) -> str:
    """Runs `python -m module arguments` to its end and returns what it printed.

    All that it tracks lies in the folder: MLflow's database, Optuna's and what jobs write.

    Raises:
        RuntimeError: It failed; what it printed last is in the message.
    """
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(PROJECT_ROOT), str(RIVALS)]),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        **(variables or {}),
    }
    places = [f"hydra.sweep.dir={folder / 'jobs'}", f"hydra.run.dir={folder}"]
    answer = run_python(["-m", module, *arguments, *places], environment)
    if answer.returncode:
        raise RuntimeError(f"{module} failed with exit code {answer.returncode}:\n{answer.stdout[-4000:]}")
    return answer.stdout


def run_python(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs Python in the project's root, and returns how it ended and all that it printed."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT_ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def store_option(folder: Path) -> str:
    """Returns the override that puts Optuna's database into a folder."""
    return f"hydra.sweeper.storage=sqlite:///{folder / 'optuna.db'}"


def read_spans(path: Path) -> list[Span]:
    """Returns what trials have written down, in the order in which they started."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return sorted((Span(**json.loads(line)) for line in lines), key=lambda span: span.started)
