"""Gap against validation accuracy: which runs are right more often, and which of them overfit less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from src.figures.style import (
    BEST_COLOUR,
    FAINT_INK,
    INK,
    SMALL_SIZE,
    TRAIN_COLOUR,
    dress_axes,
    new_figure,
    shorten,
)

#: Points of the front that are named.
_MOST_NAMES = 8
_LONGEST_NAME = 48


@dataclass(frozen=True)
class Mark:
    """One run in the picture.

    Attributes:
        name: What tells it from the others.
        gap: Its gap in accuracy at its best epoch, a share of one.
        val_accuracy: Its best validation accuracy, a share of one.
        on_front: Whether no other run has both a smaller gap and a higher validation accuracy.
    """

    name: str
    gap: float
    val_accuracy: float
    on_front: bool


def plot_tradeoff(marks: Sequence[Mark], title: str) -> Figure:
    """Draws each run as a point, and the front as a line; up and to the left is better.

    Args:
        marks: At least one run.
        title: Name of the sweep.
    """
    figure = new_figure(7.5, 5, title, "gap against validation accuracy, at each run's best epoch")
    axes = figure.add_subplot()
    dress_axes(axes, "", "gap: accuracy on training images less that on validation images, points", "")
    axes.set_title("validation accuracy", fontsize=SMALL_SIZE + 1, color=FAINT_INK, loc="left")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:+.4g}" if value else "0"))
    others = [mark for mark in marks if not mark.on_front]
    front = sorted((mark for mark in marks if mark.on_front), key=lambda mark: mark.gap)
    axes.scatter(
        [mark.gap for mark in others],
        [mark.val_accuracy for mark in others],
        s=34,
        color=TRAIN_COLOUR,
        alpha=0.55,
        linewidths=0,
        label="run" if others else None,
    )
    axes.plot(
        [mark.gap for mark in front],
        [mark.val_accuracy for mark in front],
        color=BEST_COLOUR,
        marker="D",
        markersize=7,
        linewidth=1.4,
        label="front: no run is better in both",
    )
    for number, mark in enumerate(front[:_MOST_NAMES], start=1):
        _write_number(axes, number, mark)
    axes.margins(0.1)
    axes.text(0.01, 0.985, "better ↖", transform=axes.transAxes, va="top", color=FAINT_INK, fontsize=SMALL_SIZE + 1)
    # Names beside points that lie close together would cover each other.
    legend = figure.legend(loc="outside lower center", ncols=2, fontsize=SMALL_SIZE, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _write_number(axes: Axes, number: int, mark: Mark) -> None:
    """Writes a number above a point, whose name stands with it in the legend."""
    place = (mark.gap, mark.val_accuracy)
    axes.annotate(
        str(number), place, xytext=(0, 7), textcoords="offset points", fontsize=SMALL_SIZE, color=INK, ha="center"
    )
    axes.plot([], [], linestyle="none", marker=f"${number}$", color=INK, label=shorten(mark.name, _LONGEST_NAME))
