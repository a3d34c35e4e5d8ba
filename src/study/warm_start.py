"""Warm start: points that a study tries first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from omegaconf import OmegaConf
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from src.config.bounds import nearest
from src.errors import ConfigError
from src.study.space import SearchSpace

_PLACE = "hydra.sweeper.warm_start"
_FORMS = "defaults, a point such as {model.dropout: 0.3}, or {study: NAME, best: 3}"


def collect_points(
    entries: Sequence[Any],
    space: SearchSpace,
    fixed: Mapping[str, str],
    defaults: Mapping[str, Any],
    storage: BaseStorage,
) -> list[dict[str, Any]]:
    """Returns the points of a warm start, checked, each once, with values as Optuna keeps them.

    Args:
        entries: `defaults` for the configuration's own values; a mapping of searched keys to values, which may leave
            some to the sampler; `{study: NAME, best: 3}` for the best trials of an earlier study.
        space: What is searched.
        fixed: The arm's own values, which conditions look at.
        defaults: The configuration's value of each searched key.
        storage: Where earlier studies are kept.

    Raises:
        ConfigError: An entry is none of these, or a point does not lie in the space.
    """
    points: list[dict[str, Any]] = []
    for index, entry in enumerate(entries):
        place, plain = f"{_PLACE}[{index}]", OmegaConf.to_container(entry) if OmegaConf.is_config(entry) else entry
        for source, point in _read_entry(place, plain, space, fixed, defaults, storage):
            problems = space.find_problems(point, fixed)
            if problems:
                raise ConfigError(f"{source} does not lie in the search space. {' '.join(problems)}")
            # The name that the override has in this space, where the point leaves the plus sign out.
            kept = {item.key: item.convert(value) for key, value in point.items() if (item := space.find(key))}
            if kept not in points:
                points.append(kept)
    return points


def _read_entry(
    place: str,
    entry: Any,
    space: SearchSpace,
    fixed: Mapping[str, str],
    defaults: Mapping[str, Any],
    storage: BaseStorage,
) -> list[tuple[str, dict[str, Any]]]:
    """Returns the points of an entry, each with what it is to be called in a message."""
    if entry == "defaults":
        known = {key: value for key, value in defaults.items() if space.find(key)}
        if not known:
            raise ConfigError(f"{place}=defaults finds no value of a searched key in the configuration. Leave it out.")
        return [(f"{place}=defaults", _drop_inactive(known, space, fixed))]
    if isinstance(entry, Mapping) and "study" in entry and not space.find("study"):
        unknown = [str(key) for key in entry if key not in ("study", "best")]
        if unknown:
            raise ConfigError(f"{place} has the unknown key {unknown[0]!r}. Write it as {{study: NAME, best: 3}}.")
        trials = _find_best(place, str(entry["study"]), entry.get("best", 1), storage)
        return [
            (
                f"{place}, trial {trial.number} of {entry['study']}",
                _drop_inactive({key: value for key, value in trial.params.items() if space.find(key)}, space, fixed),
            )
            for trial in trials
        ]
    if isinstance(entry, Mapping) and entry:
        return [(place, {str(key): value for key, value in entry.items()})]
    raise ConfigError(f"{place} must be {_FORMS}, but got {entry!r}.")


def _drop_inactive(values: dict[str, Any], space: SearchSpace, fixed: Mapping[str, str]) -> dict[str, Any]:
    """Returns values without those whose condition the others do not meet: a configuration has them all the same."""
    named = {item.key: value for key, value in values.items() if (item := space.find(key))}
    active = {item.key for item in space.active(named, fixed, partial=True)}
    return {key: value for key, value in named.items() if key in active}


def _find_best(place: str, name: str, number: Any, storage: BaseStorage) -> list[FrozenTrial]:
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ConfigError(f"{place}.best must be a number of trials from 1 on, but got {number!r}.")
    names = optuna.get_all_study_names(storage)
    if name not in names:
        known = f" There are: {', '.join(names)}." if names else ""
        raise ConfigError(f"{place}.study: there is no study {name!r} in the storage.{nearest(name, names)}{known}")
    study = optuna.load_study(study_name=name, storage=storage)
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    feasible = [trial for trial in complete if all(value <= 0 for value in trial.constraints.values())]
    if not feasible:
        raise ConfigError(f"{place}.study: {name!r} has no complete trial that keeps to its constraints. Leave it out.")
    if len(study.directions) > 1:
        # Of several objectives no trial is the best; those of the front are as good as each other.
        return study.best_trials[:number]
    largest_first = study.direction == StudyDirection.MAXIMIZE
    return sorted(feasible, key=lambda trial: trial.value or 0.0, reverse=largest_first)[:number]
