"""The table of all trials of a search, for everybody who wants to look at it with tools of their own."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from src.errors import StorageError
from src.study.objective import Objectives
from src.study.view import TrialView

_FIRST = ("arm", "number", "state", "feasible", "attempt", "retry_of")
_LAST = ("seconds", "run_id", "error")


def write_trials(arms: Mapping[str, Sequence[TrialView]], objectives: Objectives, path: Path) -> Path:
    """Writes a line for each trial of each arm, with unrounded values.

    After what it is come the objectives, the searched keys, then all other metrics.

    Raises:
        StorageError: The file cannot be written.
    """
    views = [view for trials in arms.values() for view in trials]
    others = sorted({key for view in views for key in view.metrics} - set(objectives.names))
    keys = list(dict.fromkeys(key for view in views for key in view.values))
    metrics = {*objectives.names, *others}
    # A key may be called as a metric is, such as that of an application which returns what it was given.
    names = [f"param.{key}" if key in metrics or key in (*_FIRST, *_LAST) else key for key in keys]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([*_FIRST, *objectives.names, *names, *others, *_LAST])
            for arm, trials in arms.items():
                for view in trials:
                    figures = [view.metrics.get(key) for key in objectives.names]
                    params = [view.values.get(key) for key in keys]
                    rest = [view.metrics.get(key) for key in others]
                    what = [arm, view.number, view.state, view.feasible, view.attempt, view.retry_of]
                    end = [view.seconds, view.run_id, view.error]
                    writer.writerow(map(_write, [*what, *figures, *params, *rest, *end]))
    except OSError as error:
        raise StorageError(f"The table of trials cannot be written to {path}: {error.strerror}.") from error
    return path


def _write(value: object) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)
