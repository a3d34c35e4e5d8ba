"""The moments of a training, noted from within: when it began, built its model, took its first step, and was done.

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

#: The moments of the training that runs in this process, by name, and the seconds for which its model was `built`.
_moments: dict[str, float] = {}


@contextmanager
def watch_training() -> Iterator[None]:
    """Notes the moments of the training in the block, as a line in the file that `FITGAP_MOMENTS` names."""
    _moments.clear()
    _moments.update(begun=time.time(), built=0.0)
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

    class FirstStep(keras.callbacks.Callback):
        """Notes when the first step begins."""

        def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            """Notes the time of the first call."""
            _moments.setdefault("first_step", time.time())

    fit, execute = TrainableClassifier.fit, Training.execute

    def fit_watched(self: Any, *args: Any, callbacks: list[Any], **kwargs: Any) -> Any:
        return fit(self, *args, callbacks=[*callbacks, FirstStep()], **kwargs)

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
        _replace(owner, name, _timed(getattr(owner, name)))


def _replace(owner: object, name: str, function: Callable[..., Any]) -> None:
    setattr(owner, name, functools.wraps(getattr(owner, name))(function))


def _timed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function, which adds the time it takes to that of building the model."""

    @functools.wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        started = time.time()
        try:
            return function(*args, **kwargs)
        finally:
            _moments["built"] += time.time() - started

    return timed
