"""A study's beginning: created or found again, compared to what is asked of it, once however many open it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage
from optuna.study import StudyDirection

from src.errors import ConfigError
from src.study import attributes
from src.study.fingerprint import check_fingerprint
from src.study.lock import exclusive
from src.study.points import PointList
from src.study.spec import StudySpec

#: Between the seeds of two processes that open a study; more than any study has trials.
_STRIDE = 100_003


@dataclass(frozen=True)
class Opening:
    """A study that was opened.

    Attributes:
        study_id: Its number within the storage.
        resumed: Whether it was there already.
        seed: Seed of this process's sampler.
        points: What is tried first, or at all.
        n_trials: Number of trials in total: the one asked for, or what a grid has.
    """

    study_id: int
    resumed: bool
    seed: int | None
    points: PointList
    n_trials: int


def open_study(storage: BaseStorage, url: str, spec: StudySpec, points: Sequence[Mapping[str, Any]]) -> Opening:
    """Creates the study, or makes sure that the one there is was begun with the same.

    Sampler, pruner and number of trials may differ from those that it was begun with.

    Args:
        storage: What `open_storage` has returned.
        url: The URL that it was opened with.
        spec: What the study is to be.
        points: What it tries first if it is new; one that was begun goes on with the points it has.

    Raises:
        ConfigError: It was begun with something else, or by another program; or it is a grid of a space without end.
    """
    is_grid = spec.sampler == "grid"
    grid = spec.space.points(spec.fixed) if is_grid else []
    directions = [StudyDirection[objective.direction.upper()] for objective in spec.objectives.objectives]
    with exclusive(url, spec.name):
        study = optuna.create_study(storage=storage, study_name=spec.name, directions=directions, load_if_exists=True)
        study_id = study._study_id
        kept = storage.get_study_user_attrs(study_id)
        trials = storage.get_all_trials(study_id, deepcopy=False)
        resumed = attributes.FINGERPRINT in kept
        if resumed:
            check_fingerprint(spec.name, kept[attributes.FINGERPRINT], spec.fingerprint)
        elif trials or study.directions != directions:
            raise ConfigError(
                f"Study '{spec.name}' is in the storage already, but was not begun by fitgap. Choose another name with "
                "hydra.sweeper.study_name=NAME."
            )
        else:
            _begin(study, spec, points)
        first = kept.get(attributes.POINTS, []) if resumed else points
        openings = int(kept.get(attributes.OPENINGS, 0))
        study.set_user_attr(attributes.OPENINGS, openings + 1)
    listed = PointList.of_grid(first, grid) if is_grid else PointList(first)
    begun = sum(attributes.RETRY_OF not in trial.user_attrs for trial in trials)
    limit = begun + len(listed.remaining(trials)) if is_grid else spec.n_trials
    return Opening(study_id, resumed, _choose_seed(spec, len(trials), openings), listed, min(spec.n_trials, limit))


def _begin(study: optuna.Study, spec: StudySpec, points: Sequence[Mapping[str, Any]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names(list(spec.objectives.names))
    study.set_user_attr(attributes.POINTS, [dict(point) for point in points])
    # Last: a study without it, of a process that was killed here, is begun again.
    study.set_user_attr(attributes.FINGERPRINT, {key: dict(section) for key, section in spec.fingerprint.items()})


def _choose_seed(spec: StudySpec, trials: int, openings: int) -> int | None:
    """Returns a seed with which a random sampler repeats neither itself nor another process that searches with it."""
    if spec.seed is None or spec.sampler == "qmc":
        # QMC's processes share one sequence, which its seed makes.
        return spec.seed
    return (spec.seed + trials + openings * _STRIDE) % 2**32
