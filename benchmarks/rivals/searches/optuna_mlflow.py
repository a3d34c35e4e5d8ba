"""Optuna's own loop over a grid, its study in SQLite, with a nested MLflow run for each trial and autologging.

All trials have the same number of epochs, so Optuna's pruning callback for Keras is left out.
"""

from __future__ import annotations

from pathlib import Path

import keras
import mlflow
import optuna
from task import Trial, end_trial, print_trials, read_task
from tutorial import build_model, load_data

task = read_task()
data = load_data(task)
mlflow.set_experiment("search")
mlflow.keras.autolog()
trials: list[Trial] = []


def objective(trial: optuna.Trial) -> float:
    """Trains one point of the grid."""
    keras.backend.clear_session()
    point = {name: trial.suggest_categorical(name, values) for name, values in task.axes.items()}
    with mlflow.start_run(nested=True, run_name=f"trial {trial.number}"):
        mlflow.log_params(point)
        model = build_model(task, **point)
        history = model.fit(**data, epochs=task.epochs, verbose=2)
        result = end_trial(point, history)
        mlflow.log_metric("best_val_accuracy", result.best_val_accuracy)
    trials.append(result)
    return result.best_val_accuracy


with mlflow.start_run(run_name="study"):
    study = optuna.create_study(
        storage=f"sqlite:///{Path(task.folder) / 'optuna.db'}",
        sampler=optuna.samplers.GridSampler(task.axes, seed=task.seed),
        direction="maximize",
    )
    study.optimize(objective, n_trials=len(task.points))
    mlflow.log_params(study.best_params)
    mlflow.log_metric("best_val_accuracy", study.best_value)
print_trials(trials)
