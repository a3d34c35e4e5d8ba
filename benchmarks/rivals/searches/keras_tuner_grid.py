"""Keras Tuner's grid search, recording into its own project folder."""

from __future__ import annotations

import time
from typing import Any

import keras
import keras_tuner
from task import Trial, print_trials, read_task
from tutorial import build_model, load_data

task = read_task()
ends: dict[str, float] = {}


class GridSearch(keras_tuner.GridSearch):
    """The tuner, noting when a trial ends."""

    def on_trial_end(self, trial: Any) -> None:
        """Is called by the tuner."""
        super().on_trial_end(trial)
        ends[trial.trial_id] = time.time()


def build(hp: Any) -> keras.Model:
    """Builds the network of a trial."""
    return build_model(task, **{name: hp.Choice(name, values) for name, values in task.axes.items()})


tuner = GridSearch(
    build,
    objective="val_accuracy",
    max_trials=len(task.points),
    directory=task.folder,
    project_name="search",
    overwrite=True,
)
tuner.search(**load_data(task), epochs=task.epochs, verbose=2)
finished = [tuner.oracle.trials[trial_id] for trial_id in ends]
print_trials([Trial(dict(trial.hyperparameters.values), trial.score, ends[trial.trial_id]) for trial in finished])
