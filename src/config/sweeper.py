"""Schema of `hydra.sweeper`: what is searched, towards which objective, with which budget, and what a failure means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from src.config.bounds import bounded


@dataclass
class SweeperConfig:
    """Configuration of the sweeper; keys of Hydra's official Optuna sweeper keep their names.

    Attributes:
        params: Arms and searched keys besides those of the command line: `{model.dropout: "interval(0, 0.7)"}`.
        conditions: Searched keys that only matter where another key has a value: `{optimizer.momentum: optimizer=sgd}`.
        objective: Metric to optimize, or a list of two.
        direction: `maximize` or `minimize`; one for each objective.
        constraints: What a trial must keep to be called best: `["final_gap_accuracy <= 0.05"]`.
        sampler: `tpe`, `random`, `gp`, `cmaes`, `qmc`, `nsgaii` or `grid`.
        sampler_kwargs: Arguments of Optuna's sampler.
        pruner: `none`, `median`, `percentile`, `successive_halving`, `hyperband`, `threshold`, `patient` or `wilcoxon`;
            `auto` is, for one objective, successive_halving from ten trials on and median below or where it is not
            known how long a trial is; for several it is none.
        pruner_kwargs: Arguments of Optuna's pruner, where one is named.
        n_trials: Trials of each arm, in total: also across restarts and machines.
        timeout: Seconds after which no trial is started any more, in total; null is no limit.
        until: Clock time, `06:30` or `2026-11-21 06:30`, after which no trial is started any more.
        patience: Trials without improvement after which an arm ends; null is no limit.
        n_jobs: Trials at a time; `auto` is one per GPU, one on a machine without.
        study_name: Name under which the search is kept and continued; null makes one of the sweep's file or keys.
        storage: URL of Optuna's storage; null is `mlruns/optuna.db` in the project's root.
        seeds: Each trial is trained once with each of these seeds, and its value is their mean; empty trains once.
        seed_key: Configuration key that takes the seed.
        retries: How often a trial that failed, ran out of memory or out of time is run again.
        trial_timeout: Seconds after which an attempt at a training is stopped; a retry goes on from the last
            checkpoint; null is no limit.
        max_consecutive_failures: Failed trials in a row that end the search; null is no limit.
        max_failure_rate: Part of all planned trials that may fail before the search ends; null is no limit.
        min_free_gb: Free space, in 10^9 bytes, below which on any of its disks nothing is started; null or 0 is none.
        warm_start: Points tried first: `defaults`, a mapping of keys to values, or `{study: NAME, best: 3}`.
        repeat_winner: How often the best configuration is trained again at the end, with other seeds.
        dry_run: Whether to show arms, space, budget and first points, and to train nothing.
        question: What the search shall answer; null makes a sentence of its keys.
    """

    params: dict[str, Any] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)
    objective: Any = "best_val_accuracy"
    direction: Any = "maximize"
    constraints: list[str] = field(default_factory=list)
    sampler: str = "tpe"
    sampler_kwargs: dict[str, Any] = field(default_factory=dict)
    pruner: str = "auto"
    pruner_kwargs: dict[str, Any] = field(default_factory=dict)
    n_trials: int = bounded(20, minimum=1)
    timeout: float | None = bounded(None, above=0)
    until: str | None = None
    patience: int | None = bounded(None, minimum=1)
    n_jobs: Any = "auto"
    study_name: str | None = None
    storage: str | None = None
    seeds: list[int] = bounded([], minimum=0, maximum=2**31 - 1)
    seed_key: str = "seed"
    retries: int = bounded(1, minimum=0)
    trial_timeout: float | None = bounded(None, above=0)
    max_consecutive_failures: int | None = bounded(5, minimum=1)
    max_failure_rate: float | None = bounded(0.5, minimum=0, maximum=1)
    min_free_gb: float | None = bounded(1.0, minimum=0)
    warm_start: list[Any] = field(default_factory=list)
    repeat_winner: int = bounded(0, minimum=0)
    dry_run: bool = False
    question: str | None = None
