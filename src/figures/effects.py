"""What each change does to the gap and to validation accuracy, and how much each searched key matters for the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from src.analysis.intervals import Estimate
from src.figures.style import (
    FAINT_INK,
    GRID_COLOUR,
    INK,
    LABEL_SIZE,
    SMALL_SIZE,
    TRAIN_COLOUR,
    VAL_COLOUR,
    dress_axes,
    new_figure,
    shorten,
)

_LONGEST_NAME = 44
_LINE_INCHES, _FRAME_INCHES = 0.34, 1.75


@dataclass(frozen=True)
class Change:
    """One change and what it does.

    Attributes:
        name: The change in words.
        gap: Difference of the gap, a share of one.
        accuracy: Difference of validation accuracy, a share of one.
    """

    name: str
    gap: Estimate
    accuracy: Estimate


@dataclass(frozen=True)
class Weight:
    """How much one searched key matters.

    Attributes:
        key: The key.
        gap: Share of the gap's variation that it explains, 0 to 1.
        accuracy: Share of that of validation accuracy.
    """

    key: str
    gap: float
    accuracy: float


def plot_effects(changes: Sequence[Change], title: str) -> Figure:
    """Draws the differences as points with their intervals, those of the gap on the left, of accuracy on the right.

    Args:
        changes: At least one.
        title: Name of the sweep.
    """
    note = "difference in points, with 95 % intervals; hollow: one pair of runs, which bears no interval"
    figure = new_figure(9.5, _FRAME_INCHES + _LINE_INCHES * len(changes), title, note)
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_forest(left, [change.gap for change in changes], "gap: to the left is less overfitting", VAL_COLOUR)
    _draw_forest(
        right, [change.accuracy for change in changes], "validation accuracy: to the right is better", TRAIN_COLOUR
    )
    _name_lines(left, [change.name for change in changes])
    return figure


def plot_weights(weights: Sequence[Weight], title: str, note: str) -> Figure:
    """Draws for each key two bars: its share in the gap's variation, and in that of validation accuracy.

    Args:
        weights: At least one.
        title: Name of the sweep.
        note: What they rest on.
    """
    figure = new_figure(7.5, _FRAME_INCHES + 1.7 * _LINE_INCHES * len(weights), title, note)
    axes = figure.add_subplot()
    dress_axes(axes, "", "share of the variation that it explains", "")
    places = range(len(weights))
    for offset, name, colour in ((-0.2, "gap", VAL_COLOUR), (0.2, "accuracy", TRAIN_COLOUR)):
        values = [getattr(weight, name) for weight in weights]
        label = "the gap" if name == "gap" else "validation accuracy"
        axes.barh([place + offset for place in places], values, height=0.36, color=colour, label=label)
        for place, value in zip(places, values, strict=True):
            text = f" {100 * value:.0f} %"
            axes.text(value, place + offset, text, va="center", fontsize=SMALL_SIZE, color=FAINT_INK)
    axes.set_xlim(0, max(0.1, *(max(weight.gap, weight.accuracy) for weight in weights)) * 1.12)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
    _name_lines(axes, [weight.key for weight in weights])
    axes.legend(loc="lower right", fontsize=SMALL_SIZE, frameon=False)
    return figure


def _draw_forest(axes: Axes, estimates: Sequence[Estimate], label: str, colour: str) -> None:
    dress_axes(axes, "", label, "")
    axes.axvline(0, color=INK, linewidth=1)
    for place, estimate in enumerate(estimates):
        if estimate.low is not None and estimate.high is not None:
            axes.plot([100 * estimate.low, 100 * estimate.high], [place, place], color=colour, linewidth=2.2)
        filled = colour if estimate.has_interval else "white"
        axes.plot([100 * estimate.mean], [place], marker="o", markersize=7, color=colour, markerfacecolor=filled)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+.4g}" if value else "0"))


def _name_lines(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [shorten(name, _LONGEST_NAME) for name in names], parse_math=False)
    axes.tick_params(axis="y", length=0, labelsize=LABEL_SIZE, colors=INK)
    axes.grid(visible=True, axis="y", color=GRID_COLOUR, linewidth=0.6)
    axes.set_ylim(len(names) - 0.4, -0.6)
