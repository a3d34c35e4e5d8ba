"""Hydra's sweeper as the official Optuna plugin loops: ask for a batch, launch it, wait for all of it, tell, again.

`hydra-optuna-sweeper` 1.3 needs Optuna below 3 and cannot be installed beside fitgap. This is its loop
(`OptunaSweeperImpl.sweep`) with today's Optuna, its default of a study in memory, and batches of `n_jobs`; left out is
what costs no time worth measuring: search spaces of other kinds, several objectives, the limit of failures. Points that
are enqueued stand for its samplers, so that it runs the very same trials as fitgap.

Hydra imports plugins without an entry in `sys.modules`, so annotations must not be postponed.
"""

from dataclasses import dataclass, field
from typing import Any

import optuna
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class BatchSweeperConf:
    """Configuration of the sweeper: `key` gets each of `values` in turn, `n_jobs` of them at a time."""

    _target_: str = "hydra_plugins.batch_sweeper.batch_sweeper.BatchSweeper"
    key: str = "index"
    values: list[int] = field(default_factory=list)
    n_jobs: int = 2


ConfigStore.instance().store(group="hydra/sweeper", name="batches", node=BatchSweeperConf, provider="benchmarks")


class BatchSweeper(Sweeper):
    """Launches one batch of trials after the other."""

    def __init__(self, key: str, values: list[int], n_jobs: int) -> None:
        """Takes what `BatchSweeperConf` holds."""
        self.key = key
        self.values = list(values)
        self.n_jobs = n_jobs

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Is called by Hydra before `sweep`."""
        self.runner = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Runs all trials."""
        study = optuna.create_study(directions=["minimize"])
        for value in self.values:
            study.enqueue_trial({self.key: value})
        done = 0
        while done < len(self.values):
            trials = [study.ask() for _ in range(min(self.n_jobs, len(self.values) - done))]
            overrides = []
            for trial in trials:
                value = trial.suggest_categorical(self.key, self.values)
                overrides.append((*arguments, f"{self.key}={value}"))
            returns = self.runner.launch(overrides, initial_job_idx=done)
            done += len(returns)
            for trial, result in zip(trials, returns, strict=True):
                study.tell(trial, [float(result.return_value)])
        return None
