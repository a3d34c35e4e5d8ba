"""The task that all searches beside this module are given, and the answer that they give; imports no Keras.

These scripts know nothing of fitgap and run in environments where it is not installed. Each is run as

    python SCRIPT.py task.json

and prints one line of JSON at its end: its trials in the order in which they ended.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Task:
    """What is to be searched, the same for all.

    Attributes:
        workload: `digits`: images in a NumPy archive; `pets`: folders of JPEGs.
        data: The archive with `x_train`, `y_train`, `x_val` and `y_val`, or the folder with `train` and `validation`.
        axes: The values of each hyperparameter; every combination is a trial.
        epochs: Epochs of each trial.
        batch_size: Images per step.
        image_size: Side of the square images, in pixels.
        seed: Seed of every trial.
        folder: Where a script may write.
        options: Differences between rows of the table that one script serves.
    """

    workload: str
    data: str
    axes: dict[str, list[float]]
    epochs: int
    batch_size: int
    image_size: int
    seed: int
    folder: str
    options: tuple[str, ...] = ()

    @property
    def points(self) -> list[dict[str, float]]:
        """All combinations of the axes, the last one fastest."""
        return [dict(zip(self.axes, values, strict=True)) for values in itertools.product(*self.axes.values())]


@dataclass(frozen=True)
class Trial:
    """One trial that has ended: its point, its best validation accuracy and when it ended, in seconds since 1970."""

    point: dict[str, float]
    best_val_accuracy: float
    ended: float


def read_task(path: str | None = None) -> Task:
    """Reads the task from a file, without a path from the one that the command line names."""
    return Task(**json.loads(Path(path or sys.argv[1]).read_text(encoding="utf-8")))


def end_trial(point: dict[str, float], history: Any) -> Trial:
    """Returns the trial that ends now."""
    return Trial(point, max(history.history["val_accuracy"]), time.time())


def print_trials(trials: list[Trial]) -> None:
    """Prints what the benchmark reads."""
    print("\n" + json.dumps({"trials": [asdict(trial) for trial in trials]}), flush=True)
