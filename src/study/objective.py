"""Objectives and constraints: what makes one trial better than another, and what a trial must keep to."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from src.config.bounds import nearest
from src.errors import ConfigError

#: Directions of an objective.
DIRECTIONS = ("maximize", "minimize")
#: Most objectives of a study: more have no front that can be drawn, or chosen from.
MOST_OBJECTIVES = 2

_CONSTRAINT = re.compile(r"\s*(?P<metric>[^\s<>=]+)\s*(?P<operator><=|>=|<|>)\s*(?P<bound>[^\s<>=]+)\s*")


class MissingMetricError(ConfigError):
    """A trial ended without a metric that an objective or a constraint is about."""


@dataclass(frozen=True)
class Objective:
    """A metric to optimize.

    Attributes:
        name: The metric.
        direction: `maximize` or `minimize`.
    """

    name: str
    direction: str

    def better(self, a: float, b: float) -> bool:
        """Returns whether `a` is strictly better than `b`; any number is better than NaN."""
        if math.isnan(a) or math.isnan(b):
            return not math.isnan(a)
        return a > b if self.direction == "maximize" else a < b


@dataclass(frozen=True)
class Constraint:
    """What a trial must keep to before it can be the best.

    Attributes:
        metric: The metric.
        operator: `<=`, `>=`, `<` or `>`.
        bound: What the metric is compared to.
        text: The constraint as it is shown: `final_gap_accuracy <= 0.05`.
    """

    metric: str
    operator: str
    bound: float
    text: str

    def violation(self, metrics: Mapping[str, float]) -> float:
        """Returns by how much the constraint is broken; 0 or less where it is kept, infinity where it is NaN.

        Raises:
            MissingMetricError: The metric is not among `metrics`.
        """
        value = _find_metric(self.metric, metrics, f"The constraint {self.text!r}")
        if math.isnan(value):
            return math.inf
        excess = value - self.bound if self.operator.startswith("<") else self.bound - value
        if excess == 0 and not self.operator.endswith("="):
            # Optuna takes 0 for kept.
            return sys.float_info.min
        return excess


@dataclass(frozen=True)
class Objectives:
    """All that trials are judged by.

    Attributes:
        objectives: What is optimized.
        constraints: What must be kept.
    """

    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The objectives' metrics."""
        return tuple(objective.name for objective in self.objectives)

    def describe(self) -> str:
        """Returns what is asked for in words: `maximize best_val_accuracy, keep final_gap_accuracy <= 0.05`."""
        aims = [f"{objective.direction} {objective.name}" for objective in self.objectives]
        return ", ".join([*aims, *(f"keep {constraint.text}" for constraint in self.constraints)])

    def values(self, metrics: Mapping[str, float]) -> list[float]:
        """Returns the objectives' values.

        Raises:
            MissingMetricError: One is not among `metrics`.
        """
        return [_find_metric(name, metrics, "hydra.sweeper.objective") for name in self.names]

    def violations(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Returns by how much each constraint is broken, by its text; 0 or less where it is kept.

        Raises:
            MissingMetricError: The metric of one is not among `metrics`.
        """
        return {constraint.text: constraint.violation(metrics) for constraint in self.constraints}


def parse_objectives(
    objective: str | Sequence[str], direction: str | Sequence[str], constraints: Sequence[str]
) -> Objectives:
    """Returns the objectives and constraints that a configuration names.

    Raises:
        ConfigError: There are too many, their directions are not as many, or one of them cannot be understood.
    """
    names = _read_list("hydra.sweeper.objective", objective, "best_val_accuracy")
    directions = _read_list("hydra.sweeper.direction", direction, "maximize")
    if not names or len(names) > MOST_OBJECTIVES:
        raise ConfigError(
            f"hydra.sweeper.objective must be one metric or two, but got {len(names)}: [{', '.join(names)}]. "
            "Make constraints of the others: hydra.sweeper.constraints=['final_gap_accuracy <= 0.05']."
        )
    if len(set(names)) < len(names):
        raise ConfigError(f"hydra.sweeper.objective names {names[0]} twice. Write hydra.sweeper.objective={names[0]}.")
    for word in directions:
        if word not in DIRECTIONS:
            raise ConfigError(
                f"hydra.sweeper.direction must be maximize or minimize, but got {word!r}.{nearest(word, DIRECTIONS)}"
            )
    if len(directions) != len(names):
        wanted = ",".join((directions + ["minimize"] * len(names))[: len(names)])
        raise ConfigError(
            f"hydra.sweeper.direction must have one entry for each of {', '.join(names)}, but got "
            f"{', '.join(directions) or 'none'}. Write for example hydra.sweeper.direction="
            + (f"[{wanted}]." if len(names) > 1 else f"{wanted}.")
        )
    parsed: dict[str, Constraint] = {}
    for text in _read_list("hydra.sweeper.constraints", constraints, "['final_gap_accuracy <= 0.05']"):
        constraint = _parse_constraint(text)
        parsed[constraint.text] = constraint
    return Objectives(tuple(map(Objective, names, directions)), tuple(parsed.values()))


def _parse_constraint(text: str) -> Constraint:
    found = _CONSTRAINT.fullmatch(text)
    bound = _read_number(found["bound"]) if found else None
    if found is None or bound is None:
        raise ConfigError(
            f"hydra.sweeper.constraints must hold a metric, one of <= >= < >, and a number, such as "
            f"'final_gap_accuracy <= 0.05', but got {text!r}."
        )
    metric, operator = found["metric"], found["operator"]
    return Constraint(metric, operator, bound, f"{metric} {operator} {repr(bound).removesuffix('.0')}")


def _read_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _read_list(key: str, value: Any, example: str) -> list[str]:
    items = [value] if isinstance(value, str) else list(value) if isinstance(value, Sequence) else None
    if items is None or not all(isinstance(item, str) and item.strip() for item in items):
        raise ConfigError(f"{key} must be a name or a list of names, such as {example}, but got {value!r}.")
    return items


def _find_metric(name: str, metrics: Mapping[str, float], what: str) -> float:
    if name not in metrics:
        logged = ", ".join(sorted(metrics)) or "none"
        raise MissingMetricError(
            f"{what} needs the metric {name!r}, which the trial did not end with.{nearest(name, sorted(metrics))} "
            f"It ended with: {logged}."
        )
    return float(metrics[name])
