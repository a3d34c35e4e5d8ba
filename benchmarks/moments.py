"""The moments of a training, noted from within: when it began, built its model, took its first step, and was done.

Beside these moments, in seconds since 1970, stand the seconds for which it built its model (`built`), took its first
step and traced it (`traced`), took all others (`stepped`) and evaluated (`evaluated`).

The program is changed only in that some of its functions look at the clock and Keras has a callback more.
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
    import keras

    from src import experiment
    from src.training.classifier import TrainableClassifier
    from src.training.training import Training

    class Steps(keras.callbacks.Callback):
        """Notes when the first step begins, and how long it and all others take; put last among the callbacks."""

        def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            """Notes from when on steps count."""
            self.counted = time.time()

        def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            """Notes the time of the first call."""
            _moments.setdefault("first_step", time.time())

        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            """Adds the time since the last call, in which the step's images were waited for too."""
            now = time.time()
            if not _moments["traced"]:
                _moments["traced"] = now - _moments["first_step"]
                self.counted += _moments["traced"]
            _moments["stepped"] += now - self.counted
            self.counted = now

    fit, execute = TrainableClassifier.fit, Training.execute

    def fit_watched(self: Any, *args: Any, callbacks: list[Any], **kwargs: Any) -> Any:
        return fit(self, *args, callbacks=[*callbacks, Steps()], **kwargs)

    def execute_watched(self: Any, *args: Any) -> None:
        try:
            execute(self, *args)
        finally:
            _moments["returned"] = time.time()

    _replace(TrainableClassifier, "fit", fit_watched)
    _replace(Training, "execute", execute_watched)
    # What builds the model, in the order in which it happens; Keras builds the rest of it when it first sees data.
    for owner, name in (
        (experiment, "build_network"),
        (Training, "__init__"),
        (TrainableClassifier, "_symbolic_build"),
    ):
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
