"""The moments of a training, noted from within: when it began, built its model, took its first step, and was done.

Beside these moments, in seconds since 1970, stand the seconds for which it built its model (`built`), took its first
step and traced it (`traced`), took all others (`stepped`) and evaluated (`evaluated`).

The program is changed only in that some of its functions look at the clock.
"""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: The moments and the seconds of the training that runs in this process, by name.
_moments: dict[str, float] = {}


@contextmanager
def watch_training() -> Iterator[None]:
    """Notes the moments of the training in the block, as a line in the file that `FITGAP_MOMENTS` names."""
    _moments.clear()
    _moments.update(begun=time.time(), built=0.0, traced=0.0, stepped=0.0, evaluated=0.0)
    _prepare()
    try:
        yield
    finally:
        _moments["ended"] = time.time()
        with Path(os.environ["FITGAP_MOMENTS"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(_moments) + "\n")


@functools.cache
def _prepare() -> None:
    """Has the program look at the clock, from now on."""
    from src.runtime import load_tensorflow

    load_tensorflow()
    from src import experiment
    from src.training.program import TrainingProgram
    from src.training.training import Training

    take_steps, execute = TrainingProgram.take_steps, Training.execute

    def take_steps_watched(self: Any, *args: Any) -> Any:
        """Adds the time of a call; the first one traces, where no earlier training has."""
        started = time.time()
        first = "first_step" not in _moments
        _moments.setdefault("first_step", started)
        try:
            return take_steps(self, *args)
        finally:
            _moments["traced" if first else "stepped"] += time.time() - started

    def execute_watched(self: Any, *args: Any) -> None:
        try:
            execute(self, *args)
        finally:
            _moments["returned"] = time.time()

    _replace(TrainingProgram, "take_steps", take_steps_watched)
    _replace(Training, "execute", execute_watched)
    # What builds the network, and the program around it or its weights within an earlier one.
    for owner, name in ((experiment, "build_network"), (Training, "__init__")):
        _replace(owner, name, _timed(getattr(owner, name), "built"))
    _replace(Training, "evaluate", _timed(Training.evaluate, "evaluated"))


def _replace(owner: object, name: str, function: Callable[..., Any]) -> None:
    setattr(owner, name, functools.wraps(getattr(owner, name))(function))


def _timed(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Returns the function, which adds the time it takes to a sum."""

    @functools.wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        started = time.time()
        try:
            return function(*args, **kwargs)
        finally:
            _moments[name] += time.time() - started

    return timed
