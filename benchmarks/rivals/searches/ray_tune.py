"""Ray Tune over a grid, one trial at a time with all cores, each reporting its epochs; recorded in Ray's own folder."""

from __future__ import annotations

import os
from typing import Any

import ray
from ray import tune
from task import Trial, end_trial, print_trials, read_task

task = read_task()


def train(point: dict[str, float]) -> None:
    """Trains one point of the grid; runs in a process of Ray's."""
    import keras
    from tutorial import build_model, load_data

    class Report(keras.callbacks.Callback):
        """Reports every epoch to Ray."""

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            """Is called by Keras."""
            tune.report(dict(logs or {}))

    model = build_model(task, **point)
    history = model.fit(**load_data(task), epochs=task.epochs, verbose=2, callbacks=[Report()])
    result = end_trial(point, history)
    tune.report({"val_accuracy": result.best_val_accuracy, "ended": result.ended})


cores = len(os.sched_getaffinity(0))
ray.init(num_cpus=cores)
tuner = tune.Tuner(
    tune.with_resources(train, {"cpu": cores}),
    param_space={name: tune.grid_search(values) for name, values in task.axes.items()},
    tune_config=tune.TuneConfig(metric="val_accuracy", mode="max"),
    run_config=tune.RunConfig(name="search", storage_path=task.folder),
)
results = tuner.fit()
trials = [Trial(result.config, result.metrics["val_accuracy"], result.metrics["ended"]) for result in results]
print_trials(sorted(trials, key=lambda trial: trial.ended))
