"""Hydra's official Optuna sweeper over a grid, with `mlflow.keras.autolog()` in the task function.

    python hydra_optuna.py -m task=task.json 'dropout=choice(…)' hydra.sweeper.n_trials=…

Its basic launcher runs all trials in this process, one after the other.
"""

from __future__ import annotations

import hydra
import keras
import mlflow
from omegaconf import DictConfig
from task import Trial, end_trial, print_trials, read_task
from tutorial import build_model, load_data

trials: list[Trial] = []


@hydra.main(version_base="1.3", config_path=".", config_name="hydra_optuna")
def main(config: DictConfig) -> float:
    """Trains one point of the grid."""
    task = read_task(config.task)
    keras.backend.clear_session()
    mlflow.set_experiment("search")
    mlflow.keras.autolog()
    point = {name: float(config[name]) for name in task.axes}
    with mlflow.start_run():
        mlflow.log_params(point)
        model = build_model(task, **point)
        history = model.fit(**load_data(task), epochs=task.epochs, verbose=2)
        result = end_trial(point, history)
    trials.append(result)
    return result.best_val_accuracy


if __name__ == "__main__":
    main()
    print_trials(trials)
