"""Borders: best values that lie at the end of their interval, beyond which something better may be."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from optuna.distributions import FloatDistribution, IntDistribution

from src.study.dimension import Dimension
from src.study.space import SearchSpace

#: Part of an interval by which it is imagined wider.
_STEP = 0.1

_SENTENCE = re.compile(r"lies at the (lower|upper) border of its interval .*: widen it\.$")


def find_borders(
    space: SearchSpace, values: Mapping[str, Any], *, arm: str | None, allows: Callable[[Mapping[str, Any]], bool]
) -> list[str]:
    """Returns a sentence for each of the best values that lies at a border which could be moved.

    Args:
        space: What was searched.
        values: The best trial's values.
        arm: Its arm, where the search has several.
        allows: Whether a point can be configured at all: no dropout lies below 0, however wide the interval.
    """
    sentences = []
    for dimension in space.dimensions:
        value = values.get(dimension.key)
        border = dimension.border(value)
        if border is None or not allows({**values, dimension.key: _look_beyond(dimension, border)}):
            continue
        kind = dimension.distribution
        assert isinstance(kind, FloatDistribution | IntDistribution)
        start = "The best" if arm is None else f"{arm}: the best"
        sentences.append(
            f"{start} {dimension.name}, {value:.3g}, lies at the {border} border of its interval "
            f"{kind.low:g} to {kind.high:g}: widen it."
        )
    return sentences


def is_border_warning(text: str) -> bool:
    """Returns whether a warning is one of `find_borders`, which a search that went on may have made obsolete."""
    return _SENTENCE.search(text) is not None


def _look_beyond(dimension: Dimension, border: str) -> float | int:
    kind = dimension.distribution
    assert isinstance(kind, FloatDistribution | IntDistribution)
    low, high = float(kind.low), float(kind.high)
    if kind.log:
        factor = float((high / low) ** _STEP)
        beyond = low / factor if border == "lower" else high * factor
    else:
        step = float(kind.step or _STEP * (high - low))
        beyond = low - step if border == "lower" else high + step
    if isinstance(kind, FloatDistribution):
        return beyond
    return math.floor(beyond) if border == "lower" else math.ceil(beyond)
