"""One panel of training curves: train_eval and val over the epochs, with the gap between them shaded."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from src.figures.style import BEST_COLOUR, INK, SMALL_SIZE, TRAIN_COLOUR, VAL_COLOUR
from src.history import EpochMetrics, History

#: Losses are drawn on a logarithmic axis where the highest is this many times their median: otherwise one exploded
#: epoch presses all others into one line.
LOG_SCALE_RATIO = 40.0

#: Room above the highest loss, for the label of the vertical line.
HEADROOM = 1.13


@dataclass(frozen=True)
class Scale:
    """The vertical axis of a panel: its ends, and whether it is logarithmic."""

    bottom: float
    top: float
    logarithmic: bool = False

    def apply(self, axes: Axes) -> None:
        """Sets the axis of a panel."""
        if self.logarithmic:
            axes.set_yscale("log", nonpositive="clip")
        axes.set_ylim(self.bottom, self.top)


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


def draw_panel(axes: Axes, history: History, measure: str) -> None:
    """Draws train_eval and val of one measure, the gap between them, and the best epoch as a dot.

    Args:
        axes: Where to draw.
        history: The epochs; with none of them nothing is drawn.
        measure: `accuracy` or `loss`.
    """
    epochs = [epoch.epoch for epoch in history.epochs]
    train, val = history.series(f"train_eval_{measure}"), history.series(f"val_{measure}")
    # Few points are no line: they need markers to be seen at all.
    marker = "o" if len(epochs) <= 3 else ""
    axes.fill_between(epochs, train, val, color=VAL_COLOUR, alpha=0.14, linewidth=0, label="gap")
    if len(epochs) == 1:
        axes.vlines(epochs, train, val, color=VAL_COLOUR, alpha=0.25, linewidth=8)
    axes.plot(epochs, train, color=TRAIN_COLOUR, linewidth=1.8, marker=marker, markersize=5, label="train_eval")
    axes.plot(epochs, val, color=VAL_COLOUR, linewidth=1.8, marker=marker, markersize=5, label="val")
    best = find_best(history)
    if best is not None:
        axes.plot(
            [best.epoch],
            [getattr(best, f"val_{measure}")],
            linestyle="none",
            marker="o",
            markersize=9,
            markerfacecolor="none",
            markeredgecolor=BEST_COLOUR,
            markeredgewidth=2.2,
            zorder=5,
            label="best",
        )


def mark_overfit_epoch(axes: Axes, epoch: int, last_epoch: int, text: str, *, height: float = 0.985) -> None:
    """Draws a vertical line at the epoch where validation loss turned for good.

    Args:
        axes: Where to draw.
        epoch: The epoch.
        last_epoch: The end of the axis; the text is written on the side of the line with more room.
        text: What to write at the line.
        height: Where to write it, as a share of the panel's height.
    """
    axes.axvline(epoch, color=INK, linewidth=1.1, linestyle=(0, (4, 2)), label="overfit")
    right = epoch <= 1 + 0.55 * (last_epoch - 1)
    axes.annotate(
        text,
        (epoch, height),
        xycoords=("data", "axes fraction"),
        xytext=(4 if right else -4, 0),
        textcoords="offset points",
        ha="left" if right else "right",
        va="top" if height > 0.5 else "bottom",
        fontsize=SMALL_SIZE,
        color=INK,
        bbox={"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
    )


def set_epoch_axis(axes: Axes, last_epoch: int) -> None:
    """Lets the horizontal axis run from the first epoch to the last, with whole numbers."""
    margin = 0.5 if last_epoch <= 3 else 0.02 * last_epoch
    # There is no epoch 0 that the axis could name.
    axes.set_xlim(1 - min(margin, 0.9), max(last_epoch, 1) + margin)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))


def set_percent_axis(axes: Axes) -> None:
    """Writes the shares on the vertical axis as percentages."""
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))


def _finite(histories: Iterable[History], keys: Sequence[str]) -> list[float]:
    """Returns all values of some metrics that are numbers."""
    return [value for history in histories for key in keys for value in history.series(key) if math.isfinite(value)]
