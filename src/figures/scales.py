"""What the axes of training curves show: from where to where, and which round numbers are written at them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator

from src.figures.canvas import Numbers
from src.history import EpochMetrics, History

#: Losses are drawn on a logarithmic axis where the highest is this many times their median: otherwise one exploded
#: epoch presses all others into one line.
LOG_SCALE_RATIO = 40.0

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

#: Room above the highest loss, for the label of the vertical line.
HEADROOM = 1.13


@dataclass(frozen=True)
class Scale:
    """The vertical axis of a panel: its ends, and whether it is logarithmic."""

    bottom: float
    top: float
    logarithmic: bool = False

    def place(self, values: Numbers) -> np.ndarray:
        """Returns for each value where it lies between the bottom, 0, and the top, 1; what is no number is none."""
        given = np.asarray(values, float)
        given = np.where(np.isfinite(given), given, np.nan)
        if not self.logarithmic:
            return (given - self.bottom) / (self.top - self.bottom)
        # What has no logarithm lies far below the panel.
        given = np.log10(np.maximum(given, self.bottom / 1e3))
        bottom, top = math.log10(self.bottom), math.log10(self.top)
        return np.asarray((given - bottom) / (top - bottom))


def find_best(history: History) -> EpochMetrics | None:
    """Returns the best epoch of those whose validation accuracy and loss are numbers, or None."""
    epochs = tuple(epoch for epoch in history.epochs if math.isfinite(epoch.val_accuracy + epoch.val_loss))
    return History(epochs).best() if epochs else None


def compute_accuracy_scale(histories: Iterable[History]) -> Scale:
    """Returns a scale from a multiple of ten percent below the lowest accuracy to a little above the highest."""
    values = _finite(histories, ("train_eval_accuracy", "val_accuracy", "train_accuracy"))
    if not values:
        return Scale(0.0, 1.02)
    bottom = max(0.0, math.floor(min(values) * 10 - 0.2) / 10)
    top = min(1.0, math.ceil(max(values) * 10 + 0.2) / 10)
    if top - bottom < 0.2:
        bottom = max(0.0, top - 0.2)
    # A curve at 100 % must not lie on the frame.
    return Scale(bottom, top + 0.03 * (top - bottom))


def compute_loss_scale(histories: Iterable[History]) -> Scale:
    """Returns a scale from zero to a little above the highest clean loss, or a logarithmic one if one loss explodes.

    The running average of the first epoch, which is often far above everything else, may leave the panel.
    """
    histories = list(histories)
    clean = _finite(histories, ("train_eval_loss", "val_loss"))
    if not clean:
        return Scale(0.0, 1.0)
    highest = max(clean)
    if highest > LOG_SCALE_RATIO * max(statistics.median(clean), 1e-3):
        # Nor may training losses near zero, far below whatever is worth telling apart, take up the axis.
        lowest = max(min(value for value in clean if value > 0), statistics.median(clean) / 100, highest * 1e-9)
        return Scale(lowest / 1.5, highest * 3, logarithmic=True)
    running = _finite(histories, ("train_loss",))
    usual = sorted(running)[int(0.9 * (len(running) - 1))] if running else 0.0
    return Scale(0.0, HEADROOM * max(highest, min(usual, 2 * highest), 1e-3))


def compute_shared_loss_scale(histories: Iterable[History]) -> Scale:
    """Returns a scale on which the losses of several trainings can be compared.

    It ends at four times the typical training's highest loss: one that explodes leaves its panel instead of flattening
    all others.
    """
    highest = [max(values) for history in histories if (values := _finite([history], ("train_eval_loss", "val_loss")))]
    if not highest:
        return Scale(0.0, 1.0)
    return Scale(0.0, HEADROOM * max(min(max(highest), 4 * statistics.median_low(highest)), 1e-3))


def find_ticks(scale: Scale, count: int, *, percent: bool = False) -> dict[float, str]:
    """Returns round numbers on a scale, about as many as asked for, and how they are written.

    Args:
        scale: The scale.
        count: How many spaces between them there may be.
        percent: Whether shares of one are meant.
    """
    if scale.logarithmic:
        values = LogLocator(numticks=count).tick_values(scale.bottom, scale.top)
        ticks = {float(value): "10" + str(round(math.log10(value))).translate(_RAISED) for value in values}
    else:
        values = MaxNLocator(nbins=count, steps=[1, 2, 5, 10]).tick_values(scale.bottom, scale.top)
        digits = max(0, -math.floor(math.log10(values[1] - values[0]) + 1e-9))
        texts = [f"{100 * value:.0f} %" if percent else f"{value + 0:.{digits}f}" for value in values]
        ticks = {float(value): text for value, text in zip(values, texts, strict=True)}
    return {value: text for value, text in ticks.items() if scale.bottom <= value <= scale.top}


def find_epoch_ticks(last_epoch: int, count: int) -> list[int]:
    """Returns round epochs, about as many as asked for; there is no epoch 0."""
    values = MaxNLocator(nbins=count, integer=True, min_n_ticks=1).tick_values(1, max(last_epoch, 1))
    return [round(value) for value in values if 1 <= value <= max(last_epoch, 1) and value == round(value)]


def _finite(histories: Iterable[History], keys: Sequence[str]) -> list[float]:
    """Returns all values of some metrics that are numbers."""
    return [value for history in histories for key in keys for value in history.series(key) if math.isfinite(value)]
