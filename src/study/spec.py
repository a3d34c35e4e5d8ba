"""What a study is to be, and what it gives out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from src.study.fingerprint import Fingerprint
from src.study.objective import Objectives
from src.study.space import SearchSpace


@dataclass(frozen=True)
class StudySpec:
    """What a study is to be.

    Attributes:
        name: Its name within the storage.
        space: What is searched.
        fixed: What conditions of the space may look at besides: the value of each key that is not searched.
        objectives: What is optimized, and what a trial must keep to be called best.
        sampler: A name of `src.study.samplers.SAMPLERS`.
        sampler_kwargs: Arguments of Optuna's sampler.
        pruner: A name of `src.study.pruners.PRUNERS`.
        pruner_kwargs: Arguments of Optuna's pruner.
        seed: Seed of the sampler; null is random.
        n_trials: Number of trials in total, also across restarts and machines.
        fingerprint: What it is recognized by when it is opened again.
    """

    name: str
    space: SearchSpace
    fixed: Mapping[str, str]
    objectives: Objectives
    sampler: str
    sampler_kwargs: Mapping[str, Any]
    pruner: str
    pruner_kwargs: Mapping[str, Any]
    seed: int | None
    n_trials: int
    fingerprint: Fingerprint


@dataclass(frozen=True)
class Ask:
    """A trial to be run.

    Attributes:
        number: Its number within the study.
        trial_id: Its number within the storage.
        values: Its parameters by key.
        overrides: The same as Hydra's overrides.
        attempt: 1, or more for a trial that is run again.
        failures: How many of the earlier attempts failed, or died.
        checkpoints: Folder in which they have left what they had come to, if anything; None for a first attempt.
    """

    number: int
    trial_id: int
    values: dict[str, Any]
    overrides: tuple[str, ...]
    attempt: int
    failures: int = 0
    checkpoints: str | None = None
