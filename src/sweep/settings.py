"""The sweeper's settings, checked at the door."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from src.config.bounds import find_violations, nearest
from src.config.sweeper import SweeperConfig
from src.errors import ConfigError
from src.study.objective import Objectives
from src.study.pruners import build_pruner
from src.study.samplers import build_sampler
from src.sweep.clock import parse_until


def to_sweeper_config(values: Mapping[str, Any]) -> SweeperConfig:
    """Returns `hydra.sweeper` as an object whose every value is within its bounds.

    Raises:
        ConfigError: A value is not allowed; all such values are listed.
    """
    settings = SweeperConfig(**values)
    problems = [f"hydra.sweeper.{violation}" for violation in find_violations(settings)]
    jobs = settings.n_jobs
    if jobs != "auto" and (not isinstance(jobs, int) or isinstance(jobs, bool) or jobs < 1):
        problems.append(f"hydra.sweeper.n_jobs must be auto or a number of at least 1, but got {jobs!r}.")
    if settings.until is not None:
        try:
            parse_until(settings.until)
        except ConfigError as error:
            problems.append(str(error))
    if len(set(settings.seeds)) < len(settings.seeds):
        problems.append(f"hydra.sweeper.seeds must differ from each other, but got {settings.seeds}.")
    if problems:
        raise ConfigError("\n".join(problems))
    return settings


def check_search(objectives: Objectives, settings: SweeperConfig, metrics: frozenset[str] | None) -> None:
    """Checks that runs come to what they are to be judged by, and that there are such a sampler and such a pruner.

    Args:
        objectives: What is optimized and constrained.
        settings: The sweeper's settings.
        metrics: What runs come to; None where that is not known before the first one.

    Raises:
        ConfigError: They do not, sampler or pruner cannot be had so, arguments belong to no pruner, or several
            objectives are to be pruned by.
    """
    number = len(objectives.names)
    build_sampler(settings.sampler, settings.sampler_kwargs, seed=0, num_objectives=number, has_conditions=False)
    # `none` switches off the pruner of a sweep's file, whose arguments are still there.
    if settings.pruner not in ("auto", "none"):
        build_pruner(settings.pruner, settings.pruner_kwargs)
    if settings.pruner == "auto" and settings.pruner_kwargs:
        raise ConfigError(
            f"hydra.sweeper.pruner_kwargs has {', '.join(map(str, settings.pruner_kwargs))}, but hydra.sweeper.pruner "
            "is auto, which sets its own arguments: name the pruner that they are for."
        )
    wanted = [*objectives.names, *(constraint.metric for constraint in objectives.constraints)]
    if metrics is not None:
        unknown = [name for name in wanted if name not in metrics]
        if unknown:
            raise ConfigError(
                f"hydra.sweeper.objective and constraints name what is not logged: {', '.join(unknown)}."
                f"{nearest(unknown[0], sorted(metrics))} A run logs: {', '.join(sorted(metrics))}."
            )
    if objectives.constraints and settings.sampler == "cmaes":
        raise ConfigError(
            "hydra.sweeper.sampler=cmaes cannot keep hydra.sweeper.constraints: choose tpe, gp or nsgaii, or leave the "
            "constraints out."
        )
    if len(objectives.names) > 1 and settings.pruner not in ("auto", "none"):
        raise ConfigError(
            f"hydra.sweeper.pruner={settings.pruner} needs one objective, but there are {', '.join(objectives.names)}. "
            "Set hydra.sweeper.pruner=none, or make one of them a constraint."
        )
