"""Pruners: which of Optuna's rules stops a trial before its end, by name."""

from __future__ import annotations

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
