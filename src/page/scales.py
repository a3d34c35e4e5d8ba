"""Axes that many runs share: from where to where, and which round numbers are written at them.

One run that diverged must not press all others into one line, so an axis may end before the farthest value; whatever
lies beyond is marked where it leaves.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from src.history import History

#: A value lies apart from the others if it is so many median deviations from their median, each taken for at least this
#: share of the median, ...
FENCE_DEVIATIONS = 6.0
LEAST_DEVIATION = 0.1
#: ... and leaves the axis only if that makes the others so many times larger.
WORTHWHILE = 1.6
#: Losses are drawn on a logarithmic axis where the highest is this many times their median.
LOG_SCALE_RATIO = 40.0
#: It starts at the lowest loss, but not below this share of their median, or of 1.
NEGLIGIBLE = 1e-3
#: Room above the highest value, so that no curve lies on the frame.
HEADROOM = 1.06

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Tick:
    """A number at an axis: where it lies, 0 to 1 from the axis's start, and how it is written."""

    place: float
    text: str


@dataclass(frozen=True)
class Scale:
    """An axis: its ends, and whether it is logarithmic."""

    bottom: float
    top: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Returns where a finite value lies: 0 at the bottom, 1 at the top, outside of them beyond."""
        if not self.logarithmic:
            return (value - self.bottom) / (self.top - self.bottom)
        # What has no logarithm lies far below the axis.
        power = math.log10(max(value, self.bottom / 1e3))
        return (power - math.log10(self.bottom)) / (math.log10(self.top) - math.log10(self.bottom))

    def holds(self, value: float) -> bool:
        """Whether a finite value lies between the ends."""
        return self.bottom <= value <= self.top

    def ticks(self, count: int, *, hundredfold: bool = False, unit: str = "") -> list[Tick]:
        """Returns round numbers, about as many as asked for.

        Args:
            count: How many spaces between them there may be.
            hundredfold: Whether shares of one are written in percent or points.
            unit: What is written behind each.
        """
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.bottom) - 1e-9), math.floor(math.log10(self.top) + 1e-9)
            powers = range(first, last + 1, max(1, math.ceil((last - first) / count)))
            return [Tick(self.place(10.0**power), "10" + str(power).translate(_RAISED)) for power in powers]
        factor = 100 if hundredfold else 1
        values = find_round_numbers(self.bottom * factor, self.top * factor, count)
        step = values[1] - values[0] if len(values) > 1 else 1.0
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        texts = [f"{value + 0:.{digits}f}".replace("-", "\u2212") + unit for value in values]
        return [Tick(self.place(value / factor), text) for value, text in zip(values, texts, strict=True)]


def find_round_numbers(bottom: float, top: float, count: int) -> list[float]:
    """Returns the multiples of 1, 2 or 5 times a power of ten within an interval, at most `count` + 1 of them."""
    rough = (top - bottom) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(bottom / step - 1e-9), math.floor(top / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def find_usual_range(lows: Sequence[float], highs: Sequence[float]) -> tuple[float, float]:
    """Returns from where to where most things reach, without the few that lie far apart and would spoil it for them.

    Args:
        lows: The lowest finite value of each, at least one.
        highs: The highest finite value of each.
    """
    low, high = min(_find_usual(lows)), max(_find_usual(highs))
    spoiled = WORTHWHILE * (high - low)
    return (min(lows) if high - min(lows) <= spoiled else low), (max(highs) if max(highs) - low <= spoiled else high)


def _find_usual(values: Sequence[float]) -> Sequence[float]:
    """Returns the values that do not lie far apart from their median."""
    middle = statistics.median(values)
    deviation = statistics.median(abs(value - middle) for value in values)
    # Where most values are nearly equal, their deviation says nothing of the rest.
    fence = FENCE_DEVIATIONS * max(deviation, LEAST_DEVIATION * abs(middle))
    return [value for value in values if abs(value - middle) <= fence]


def choose_accuracy_scale(histories: Iterable[History]) -> Scale:
    """Returns an axis for accuracies that ends at a multiple of ten percent."""
    lowest, highest = _range_of_ends(histories, ("train_eval_accuracy", "val_accuracy"))
    bottom = max(0.0, math.floor(lowest * 10 - 0.2) / 10)
    top = min(1.0, math.ceil(highest * 10 + 0.2) / 10)
    bottom = min(bottom, max(0.0, top - 0.2))
    return Scale(bottom, top + 0.03 * max(top - bottom, 0.1))


def choose_loss_scale(histories: Iterable[History]) -> Scale:
    """Returns an axis for losses that starts at zero, or a logarithmic one where they span decades."""
    histories = list(histories)
    keys = ("train_eval_loss", "val_loss")
    _, highest = _range_of_ends(histories, keys)
    losses = [value for history in histories for value in _finite(history, keys) if value <= highest]
    middle = statistics.median(losses) if losses else 0.0
    above_zero = [value for value in losses if value > 0]
    if above_zero and highest > LOG_SCALE_RATIO * max(middle, 1e-3):
        # Nor may training losses near zero, far below whatever is worth telling apart, take up the axis.
        lowest = max(min(above_zero), NEGLIGIBLE * min(middle, 1.0), highest * 1e-9)
        return Scale(lowest / 1.5, highest * 2, logarithmic=True)
    return Scale(0.0, HEADROOM * max(highest, 1e-3))


def choose_scatter_scale(values: Sequence[float], least: float) -> Scale:
    """Returns an axis around finite values: with room at its ends, at least so wide, and with zero if that is near."""
    lowest, highest = find_usual_range(values, values) if values else (0.0, 1.0)
    if 0 < lowest < (highest - lowest) / 2:
        lowest = 0.0
    middle, half = (lowest + highest) / 2, max(highest - lowest, least) / 2 * 1.12
    return Scale(middle - half, middle + half)


def _range_of_ends(histories: Iterable[History], keys: Sequence[str]) -> tuple[float, float]:
    """Returns from where to where the curves of most runs reach; 0 to 1 where there is no finite value."""
    curves = [values for history in histories if (values := _finite(history, keys))]
    if not curves:
        return 0.0, 1.0
    return find_usual_range([min(values) for values in curves], [max(values) for values in curves])


def _finite(history: History, keys: Sequence[str]) -> list[float]:
    """Returns all values of some metrics that are numbers."""
    return [value for key in keys for value in history.series(key) if math.isfinite(value)]
