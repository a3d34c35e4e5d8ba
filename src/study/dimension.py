"""One dimension of a search: a key and what it may be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from src.study.values import bare_key, encode_value

#: Part of an interval, from either end, that counts as its border.
_BORDER = 0.05


@dataclass(frozen=True)
class Dimension:
    """A searched key.

    Attributes:
        key: The key as in the override: `model.dropout`, `optimizer`, `+x`. It is the parameter's name in Optuna.
        distribution: What it may be, for Optuna.
        text: What it may be, as written: `tag(log, interval(1e-5, 1e-2))`.
        condition: Key and value without which this one is not searched.
        structures: Those categories that stand for a list or a mapping, which Optuna cannot keep: its text.
    """

    key: str
    distribution: BaseDistribution
    text: str
    condition: tuple[str, str] | None = None
    structures: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The key without the plus sign that appends it."""
        return bare_key(self.key)

    def suggest(self, trial: optuna.Trial) -> Any:
        """Returns the value that Optuna suggests."""
        kind = self.distribution
        if isinstance(kind, FloatDistribution):
            return self._snap(trial.suggest_float(self.key, kind.low, kind.high, step=kind.step, log=kind.log))
        if isinstance(kind, IntDistribution):
            return trial.suggest_int(self.key, kind.low, kind.high, step=kind.step, log=kind.log)
        assert isinstance(kind, CategoricalDistribution)
        return trial.suggest_categorical(self.key, kind.choices)

    def override(self, value: Any) -> str:
        """Returns the override that sets a value of this dimension, in Hydra's grammar."""
        if isinstance(value, str) and value in self.structures:
            return f"{self.key}={value}"
        if isinstance(self.distribution, FloatDistribution):
            value = self._snap(float(value))
        elif isinstance(self.distribution, IntDistribution):
            value = int(value)
        return f"{self.key}={encode_value(value)}"

    def contains(self, value: Any) -> bool:
        """Returns whether a value lies in this dimension."""
        try:
            self.convert(value)
        except ValueError:
            return False
        return True

    def convert(self, value: Any) -> Any:
        """Returns a value as Optuna keeps it: a whole number as float where those are searched, a list as text.

        Raises:
            ValueError: The value is not in this dimension.
        """
        kind = self.distribution
        if isinstance(kind, CategoricalDistribution):
            return self._find_choice(value)
        assert isinstance(kind, FloatDistribution | IntDistribution)
        if isinstance(value, bool) or not isinstance(value, Real) or not kind.low <= float(value) <= kind.high:
            raise ValueError(value)
        number = float(value)
        if isinstance(kind, IntDistribution):
            if (number - kind.low) % kind.step:
                raise ValueError(value)
            return int(number)
        snapped = self._snap(number)
        if not math.isclose(snapped, number, rel_tol=1e-9, abs_tol=1e-9 * (kind.step or 1)):
            raise ValueError(value)
        return snapped

    def describe(self) -> str:
        """Returns what the dimension holds, in words: `1e-05 to 0.01, log`."""
        kind = self.distribution
        if isinstance(kind, CategoricalDistribution):
            return ", ".join(self.override(choice).partition("=")[2] for choice in kind.choices)
        assert isinstance(kind, FloatDistribution | IntDistribution)
        if isinstance(kind, FloatDistribution) and kind.step is None:
            ends = [repr(end).removesuffix(".0") for end in (kind.low, kind.high)]
            return " to ".join(ends) + (", log" if kind.log else "")
        if kind.step == 1 and isinstance(kind, IntDistribution):
            return f"{kind.low} to {kind.high}, whole numbers" + (", log" if kind.log else "")
        return f"{kind.low} to {kind.high} in steps of {kind.step}"

    def border(self, value: Any) -> str | None:
        """Returns `lower` or `upper` where a number lies within 5 % of that end of its (log) range, else None."""
        kind = self.distribution
        if isinstance(kind, CategoricalDistribution) or value is None:
            return None
        assert isinstance(kind, FloatDistribution | IntDistribution)
        low, high, place = float(kind.low), float(kind.high), float(value)
        if low == high or (kind.log and place <= 0):
            return None
        if kind.log:
            low, high, place = math.log(low), math.log(high), math.log(place)
        part = (place - low) / (high - low)
        return "lower" if part <= _BORDER else "upper" if part >= 1 - _BORDER else None

    def count(self) -> int | None:
        """Returns how many values a grid has here; None where they are without number: an interval, or log."""
        kind = self.distribution
        if isinstance(kind, CategoricalDistribution):
            return len(kind.choices)
        assert isinstance(kind, FloatDistribution | IntDistribution)
        if kind.step is None or kind.log:
            return None
        return int((_exact(kind.high) - _exact(kind.low)) / _exact(kind.step)) + 1

    def values(self) -> list[Any]:
        """Returns the values of a grid, of which there are `count`."""
        kind, number = self.distribution, self.count()
        if isinstance(kind, CategoricalDistribution):
            return list(kind.choices)
        assert isinstance(kind, FloatDistribution | IntDistribution)
        assert number is not None
        values = [_exact(kind.low) + index * _exact(kind.step or 1) for index in range(number)]
        return [int(value) if isinstance(kind, IntDistribution) else float(value) for value in values]

    def _find_choice(self, value: Any) -> Any:
        kind = self.distribution
        assert isinstance(kind, CategoricalDistribution)
        if isinstance(value, Mapping | Sequence) and not isinstance(value, str):
            value = encode_value(value)
            if value not in self.structures:
                raise ValueError(value)
        for choice in kind.choices:
            # True equals 1 in Python, but not in a configuration.
            if choice == value and isinstance(choice, bool) == isinstance(value, bool):
                return choice
        raise ValueError(value)

    def _snap(self, value: float) -> float:
        """Returns the step next to a value: Optuna adds steps up in floats, and 0.30000000000000004 is not 0.3."""
        kind = self.distribution
        if not isinstance(kind, FloatDistribution) or kind.step is None:
            return value
        low, step = _exact(kind.low), _exact(kind.step)
        return float(low + round((_exact(value) - low) / step) * step)


def _exact(number: float) -> Decimal:
    return Decimal(repr(number))
