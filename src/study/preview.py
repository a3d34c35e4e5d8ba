"""What a study would try first, found out without beginning it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import StudyDirection

from src.study.address import sqlite_path
from src.study.points import PointList
from src.study.pruners import build_pruner
from src.study.samplers import build_sampler
from src.study.space import SearchSpace
from src.study.spec import StudySpec
from src.study.storage import close_storage, open_storage
from src.study.warm_start import collect_points


def sample_points(spec: StudySpec, points: Sequence[Mapping[str, Any]], count: int) -> list[dict[str, Any]]:
    """Returns the points that a new study would try first: those of its warm start, then `count` of its sampler.

    They are the ones that it will try, where they do not depend on what trials before them have come to; no sampler
    knows anything before its first ones.

    Args:
        spec: What the study is to be.
        points: Those of the warm start, which may leave keys to the sampler.
        count: How many more; fewer where the study has no more trials.

    Raises:
        ConfigError: Sampler or pruner cannot be had, or it is a grid of a space without end.
    """
    build_pruner(spec.pruner, spec.pruner_kwargs)
    sampler = build_sampler(
        spec.sampler,
        spec.sampler_kwargs,
        seed=spec.seed,
        num_objectives=len(spec.objectives.objectives),
        has_conditions=spec.space.has_conditions,
    )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    directions = [StudyDirection[objective.direction.upper()] for objective in spec.objectives.objectives]
    study = optuna.create_study(storage=InMemoryStorage(), sampler=sampler, directions=directions)
    planned = [dict(point) for point in points]
    if spec.sampler == "grid":
        listed = PointList.of_grid(planned, spec.space.points(spec.fixed)).remaining([])
        planned = [dict(point) for point in listed[: len(planned) + count]]
        count = 0
    for point in planned:
        study.enqueue_trial(point)
    number = min(len(planned) + count, spec.n_trials)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return [spec.space.suggest(study.ask(), spec.fixed) for _ in range(number)]


def collect_known_points(
    entries: Sequence[Any], space: SearchSpace, fixed: Mapping[str, str], defaults: Mapping[str, Any], url: str
) -> list[dict[str, Any]]:
    """Returns the points of a warm start as `collect_points` does, but opens no storage that nobody needs, or has made.

    Args:
        entries: What is tried first.
        space: What is searched.
        fixed: The arm's own values.
        defaults: The configuration's values of the searched keys.
        url: Where earlier studies are kept, if any are.

    Raises:
        ConfigError: An entry is wrong, or a point does not lie in the space.
        StudyError: The storage is needed and cannot be used.
    """
    path = sqlite_path(url)
    needed = any(isinstance(entry, Mapping) and "study" in entry for entry in entries)
    if not needed or (path is not None and not path.exists()):
        return collect_points(entries, space, fixed, defaults, InMemoryStorage())
    storage: BaseStorage = open_storage(url)
    try:
        return collect_points(entries, space, fixed, defaults, storage)
    finally:
        close_storage(storage)
