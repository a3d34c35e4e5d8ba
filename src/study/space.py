"""The search space of a study: its dimensions, and under which condition each of them is searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import optuna
from hydra.core.override_parser.types import Override
from optuna.distributions import CategoricalDistribution, FloatDistribution

from src.config.bounds import nearest
from src.errors import ConfigError
from src.study.conditions import check_condition, order_dimensions, parse_condition
from src.study.dimension import Dimension
from src.study.grammar import is_searched, parse_dimension, write_interval
from src.study.values import bare_key, encode_value, plain_text

__all__ = ["Dimension", "SearchSpace", "is_searched", "parse_dimension", "parse_space"]

#: More points than any grid has that somebody means.
MOST_POINTS = 100_000


@dataclass(frozen=True)
class SearchSpace:
    """What is searched.

    Attributes:
        dimensions: The searched keys; one that another's condition looks at stands before it.
    """

    dimensions: tuple[Dimension, ...]

    @property
    def has_conditions(self) -> bool:
        """Whether some dimension is not searched in every trial."""
        return any(dimension.condition for dimension in self.dimensions)

    def find(self, key: str) -> Dimension | None:
        """Returns the dimension of a key, written with or without the plus sign that appends it."""
        return next((item for item in self.dimensions if item.name == bare_key(key)), None)

    def suggest(self, trial: optuna.Trial, fixed: Mapping[str, str]) -> dict[str, Any]:
        """Returns the values that Optuna suggests, by key, of the dimensions whose condition is met.

        Raises:
            ConfigError: A condition looks at a key that is neither searched nor in `fixed`.
        """
        values: dict[str, Any] = {}
        for dimension in self.dimensions:
            if self._is_active(dimension, values, fixed):
                values[dimension.key] = dimension.suggest(trial)
        return values

    def active(self, values: Mapping[str, Any], fixed: Mapping[str, str], *, partial: bool = False) -> list[Dimension]:
        """Returns the dimensions whose condition is met by `values` or, for keys not searched, by `fixed`.

        Args:
            values: Values of searched keys.
            fixed: Values of other keys.
            partial: Whether a condition counts as met where `values` leaves the key out that it looks at.

        Raises:
            ConfigError: A condition looks at a key that is neither searched nor in `fixed`.
        """
        return [item for item in self.dimensions if self._is_active(item, values, fixed, partial=partial)]

    def to_overrides(self, values: Mapping[str, Any]) -> list[str]:
        """Returns the overrides that set `values`, in the order of the dimensions."""
        return [dimension.override(values[dimension.key]) for dimension in self.dimensions if dimension.key in values]

    def find_problems(self, values: Mapping[str, Any], fixed: Mapping[str, str]) -> list[str]:
        """Returns a sentence for each thing that is wrong with a point, which may leave keys out.

        Raises:
            ConfigError: A condition looks at a key that is neither searched nor in `fixed`.
        """
        known = {dimension.key: value for key, value in values.items() if (dimension := self.find(key))}
        problems = []
        for key, value in values.items():
            dimension = self.find(key)
            if dimension is None:
                names = [item.name for item in self.dimensions]
                problems.append(f"{key} is not searched.{nearest(key, names)} Searched are: {', '.join(names)}.")
            elif not dimension.contains(value):
                wanted = "one of " * isinstance(dimension.distribution, CategoricalDistribution) + dimension.describe()
                problems.append(f"{key} must be {wanted}, but got {encode_value(value)}.")
            elif not self._is_active(dimension, known, fixed, partial=True):
                assert dimension.condition is not None
                other, wanted = dimension.condition
                problems.append(
                    f"{key} is searched only where {other}={wanted}: leave it out, or set {other}={wanted}."
                )
        return problems

    def points(self, fixed: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Returns every point of a finite space, the last dimension's values changing fastest.

        Raises:
            ConfigError: A dimension has values without number, there are too many points, or a condition looks at a
                key that is neither searched nor in `fixed`.
        """
        points: list[dict[str, Any]] = [{}]
        for dimension in self.dimensions:
            number = dimension.count()
            if number is None:
                raise ConfigError(
                    f"{dimension.key}={dimension.text} has values without number, which a grid cannot try one by one. "
                    f"Write {dimension.key}=choice(…) or range(start, stop, step), or choose another "
                    "hydra.sweeper.sampler."
                )
            if len(points) * number > MOST_POINTS:
                raise ConfigError(
                    f"The grid has more than {MOST_POINTS:,} points with {dimension.key}={dimension.text}. Write fewer "
                    f"values or larger steps, or choose another hydra.sweeper.sampler."
                )
            points = [
                {**point, dimension.key: value} if searched else point
                for point in points
                for searched in [self._is_active(dimension, point, fixed or {})]
                for value in (dimension.values() if searched else [None])
            ]
        return points

    def to_record(self) -> dict[str, str]:
        """Returns what each key may be and under which condition, as text that is equal for equal spaces."""
        return {
            dimension.key: dimension.describe()
            + (f", where {'='.join(dimension.condition)}" if dimension.condition else "")
            for dimension in self.dimensions
        }

    def _is_active(
        self, dimension: Dimension, values: Mapping[str, Any], fixed: Mapping[str, str], *, partial: bool = False
    ) -> bool:
        """Returns whether a dimension's condition is met, or with `partial`, whether it still may be."""
        if dimension.condition is None:
            return True
        key, wanted = dimension.condition
        other = self.find(key)
        if other is not None:
            if other.key in values:
                met = plain_text(values[other.key]) == wanted
                return met and self._is_active(other, values, fixed, partial=partial)
            return partial and self._is_active(other, values, fixed, partial=True)
        texts = {bare_key(name): text for name, text in fixed.items()}
        if key not in texts:
            raise ConfigError(
                f"{dimension.name} is searched only where {key}={wanted}, but {key} is neither searched nor set: add "
                f"{key}={wanted} to search {dimension.name} always, or {key}=choice({wanted}, …) to search both."
            )
        return texts[key].strip("'\"") == wanted


def parse_space(overrides: Sequence[Override], conditions: Mapping[str, str], types: Mapping[str, type]) -> SearchSpace:
    """Returns the space of the searched overrides.

    Args:
        overrides: Those for which `is_searched` holds.
        conditions: Key to `other=value`: it is searched only where the other key has this value.
        types: Key to the type that the configuration's schema gives it, where that is known.

    Raises:
        ConfigError: A dimension is none, a key is searched twice, needs whole numbers and gets others, or a condition
            cannot be understood or met.
    """
    dimensions: dict[str, Dimension] = {}
    for override in overrides:
        dimension = parse_dimension(override)
        _check_type(dimension, types)
        if dimension.name in dimensions:
            first = dimensions[dimension.name]
            raise ConfigError(
                f"{dimension.name} is searched twice: {first.key}={first.text} and {dimension.key}={dimension.text}. "
                "Keep one of them."
            )
        dimensions[dimension.name] = dimension
    for key, condition in conditions.items():
        if bare_key(key) not in dimensions:
            names = ", ".join(dimensions) or "nothing"
            raise ConfigError(
                f"hydra.sweeper.conditions names {key}, which is not searched.{nearest(key, list(dimensions))} "
                f"Searched are: {names}."
            )
        other, wanted = parse_condition(key, condition)
        if other in dimensions:
            check_condition(key, dimensions[other], wanted)
        dimensions[bare_key(key)] = replace(dimensions[bare_key(key)], condition=(other, wanted))
    return SearchSpace(order_dimensions(dimensions))


def _check_type(dimension: Dimension, types: Mapping[str, type]) -> None:
    kind, known = dimension.distribution, {bare_key(key): value for key, value in types.items()}
    if known.get(dimension.name) is not int or not isinstance(kind, FloatDistribution):
        return
    low, high = round(kind.low), round(kind.high)
    line = write_interval(low, high if high > low else low + 1, whole=True, log=kind.log)
    if kind.step is not None:
        step = max(1, round(kind.step))
        line = f"range({low}, {max(high, low) + 1}, {step})"
    raise ConfigError(
        f"{dimension.name} is a whole number, but {dimension.key}={dimension.text} searches all numbers. "
        f"Write {dimension.key}={line}."
    )
