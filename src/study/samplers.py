"""Samplers: which of Optuna's algorithms chooses the next point, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)

from src.config.bounds import nearest
from src.errors import ConfigError
from src.study.arguments import check_packages, make, read_arguments

_KINDS: dict[str, type[BaseSampler]] = {
    "tpe": TPESampler,
    "random": RandomSampler,
    "gp": GPSampler,
    "cmaes": CmaEsSampler,
    "qmc": QMCSampler,
    "nsgaii": NSGAIISampler,
    # Optuna's grid sampler issues cells twice when trials run at a time: the study enqueues the points itself.
    "grid": RandomSampler,
}
#: Names that `hydra.sweeper.sampler` can have.
SAMPLERS: tuple[str, ...] = tuple(_KINDS)

#: Packages without which a sampler fails at its first trial: module, and what pip installs.
_NEEDED = {
    "gp": {"torch": "torch>=2.4", "scipy": "scipy>=1.14"},
    "cmaes": {"cmaes": "cmaes>=0.11"},
    "qmc": {"scipy": "scipy>=1.14"},
}
#: Arguments that are not for this place: what to do instead.
_REFUSED = {"constraints_func": "Name the constraints in hydra.sweeper.constraints."}
_PLACE = "hydra.sweeper.sampler_kwargs"


def build_sampler(
    name: str, kwargs: Mapping[str, Any], *, seed: int | None, num_objectives: int, has_conditions: bool
) -> BaseSampler:
    """Returns a sampler.

    Args:
        name: One of `SAMPLERS`.
        kwargs: Arguments of Optuna's class. Another sampler among them is a `_target_`, which Hydra has made already.
        seed: Seed, unless `kwargs` has one.
        num_objectives: How many values a trial has.
        has_conditions: Whether some keys are searched in a part of the trials only.

    Raises:
        ConfigError: The name or an argument is unknown or of no use here, or a package is missing.
    """
    if name not in _KINDS:
        hint = nearest(str(name), SAMPLERS)
        raise ConfigError(f"hydra.sweeper.sampler must be one of {', '.join(SAMPLERS)}, but got {name!r}.{hint}")
    if name == "cmaes" and num_objectives > 1:
        raise ConfigError(
            f"hydra.sweeper.sampler=cmaes has one objective, but hydra.sweeper.objective names {num_objectives}. "
            "Use hydra.sweeper.sampler=tpe or nsgaii."
        )
    check_packages(f"hydra.sweeper.sampler={name}", _NEEDED.get(name, {}))
    arguments = {"seed": seed, **read_arguments(_PLACE, kwargs)}
    _check_seed(arguments["seed"])
    if name == "tpe" and has_conditions and arguments.get("multivariate", True) is not False:
        # Without groups, whatever is not searched in every trial would be sampled by itself.
        arguments = {"multivariate": True, "group": True} | arguments
    return make(_KINDS[name], f"The sampler {name}", _PLACE, arguments, refused=_REFUSED)


def _check_seed(seed: Any) -> None:
    if seed is None:
        return
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise ConfigError(f"{_PLACE}.seed must be a whole number from 0 to {2**32 - 1}, or null, but got {seed!r}.")
