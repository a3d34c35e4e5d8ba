"""The same loop with `mlflow.keras.autolog()`, a run for each trial, at its defaults.

`mlflow.tensorflow.autolog()` would also write files for TensorBoard, which has to be installed for it.

With the option `no-models` it logs no models, which by default it does at the end of every run.
"""

from __future__ import annotations

import keras
import mlflow
from task import end_trial, print_trials, read_task
from tutorial import build_model, load_data

task = read_task()
data = load_data(task)
mlflow.set_experiment("search")
mlflow.keras.autolog(log_models="no-models" not in task.options)
trials = []
for point in task.points:
    keras.backend.clear_session()
    with mlflow.start_run():
        mlflow.log_params(point)
        model = build_model(task, **point)
        history = model.fit(**data, epochs=task.epochs, verbose=2)
    trials.append(end_trial(point, history))
print_trials(trials)
