"""Pruners: which of Optuna's rules stops a trial before its end, by name, and which one where none is named."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PatientPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
    ThresholdPruner,
    WilcoxonPruner,
)

from src.config.bounds import nearest
from src.errors import ConfigError
from src.study.arguments import check_packages, make, read_arguments

_KINDS: dict[str, type[BasePruner]] = {
    "none": NopPruner,
    "median": MedianPruner,
    "percentile": PercentilePruner,
    "successive_halving": SuccessiveHalvingPruner,
    "hyperband": HyperbandPruner,
    "threshold": ThresholdPruner,
    "patient": PatientPruner,
    "wilcoxon": WilcoxonPruner,
}
#: Names that `hydra.sweeper.pruner` can have, besides `auto`.
PRUNERS: tuple[str, ...] = tuple(_KINDS)

#: Arguments that Optuna's class demands, but for which there is a usual value.
_DEFAULTS: dict[str, dict[str, Any]] = {"percentile": {"percentile": 25.0}}
_PLACE = "hydra.sweeper.pruner_kwargs"

#: Of fewer trials one that is ahead by chance stops too many others. It is also the number of trials from which on
#: Optuna's TPE, by itself, chooses points by what it has seen.
_FEWEST_RACING = 10
#: The first look at a trial is after a fifth of its training, but after so many steps at least: before them the order
#: of trials is mostly noise, and to look once later costs fewer of the good ones than to look often and early.
_FIRST_LOOK, _FEWEST_STEPS = 1 / 5, 4
#: Asynchronous successive halving as it was published keeps a quarter, which is Optuna's default too.
_KEPT = 4


def choose_pruner(n_trials: int, steps: int | None) -> tuple[str, dict[str, Any]]:
    """Returns name and arguments of the pruner of a search that names none.

    Asynchronous successive halving (Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020):
    after a fifth of its training, but not before its fourth step, and again after four times as many where there are
    as many, a trial goes on if it is in the best quarter of all that came as far. It saves from the second trial on;
    the median rule (Golovin et al., "Google Vizier", KDD 2017) first trains some trials to their end, which of a short
    search is a large part, and judges after every step, so that one bad epoch can end a good trial.

    Of few trials, or of trainings that may be of any length, the median rule stops the ones below the middle.

    Args:
        n_trials: Trials of the study in total.
        steps: How often a trial reports if it is not stopped; None where that is not known.
    """
    if steps is None:
        return "median", {}
    first = max(_FEWEST_STEPS, math.ceil(steps * _FIRST_LOOK))
    if n_trials < _FEWEST_RACING:
        return "median", {"n_warmup_steps": first}
    return "successive_halving", {"min_resource": first, "reduction_factor": _KEPT}


def build_pruner(name: str, kwargs: Mapping[str, Any]) -> BasePruner:
    """Returns a pruner.

    `patient` waits before another pruner may stop a trial: `wrapped_pruner` is that one's name, `none` for none, which
    stops a trial as soon as it has not improved for `patience` steps, and `wrapped_kwargs` are its arguments.

    Args:
        name: One of `PRUNERS`.
        kwargs: Arguments of Optuna's class.

    Raises:
        ConfigError: The name or an argument is unknown, or a package is missing.
    """
    return _build("hydra.sweeper.pruner", name, _PLACE, kwargs)


def _build(key: str, name: Any, place: str, kwargs: Mapping[str, Any]) -> BasePruner:
    if not isinstance(name, str) or name not in _KINDS:
        raise ConfigError(f"{key} must be one of {', '.join(PRUNERS)}, but got {name!r}.{nearest(str(name), PRUNERS)}")
    if name == "wilcoxon":
        check_packages(f"{key}=wilcoxon", {"scipy": "scipy>=1.14"})
    arguments = _DEFAULTS.get(name, {}) | read_arguments(place, kwargs)
    more: tuple[str, ...] = ()
    if name == "patient":
        more = ("wrapped_kwargs",)
        wrapped, wrapped_kwargs = arguments.get("wrapped_pruner") or "none", arguments.pop("wrapped_kwargs", None) or {}
        inner = _build(f"{place}.wrapped_pruner", wrapped, f"{place}.wrapped_kwargs", wrapped_kwargs)
        # To Optuna's class a pruner that does nothing would be one that never agrees to stop.
        arguments["wrapped_pruner"] = None if wrapped == "none" else inner
    return make(_KINDS[name], f"The pruner {name}", place, arguments, more=more)
