"""The pictures that Optuna draws of a study, dressed like all others."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from src.figures.borrowed import Heading, dress_points, frame_figure, write_legend
from src.figures.style import (
    BEST_COLOUR,
    FAINT_INK,
    INK,
    LABEL_SIZE,
    SMALL_SIZE,
    TRAIN_COLOUR,
    VAL_COLOUR,
    dress_axes,
    shorten,
)

#: Colour of trials that keep no promise: pruned ones, and those that break a constraint.
_FAINT = "#B8B8B8"
#: From the first trial, or the worst, to the last, or the best.
_SHADES = LinearSegmentedColormap.from_list("fitgap", ["#BFDCEF", TRAIN_COLOUR, "#002B45"])

#: Panels side by side in a picture of slices.
_COLUMNS = 4


@dataclass(frozen=True)
class Range:
    """What a searched number may be: the ends of its interval, and whether it is searched by orders of magnitude."""

    low: float
    high: float
    logarithmic: bool = False


def dress_history(figure: Figure, heading: Heading, objective: str) -> None:
    """Dresses the values of all trials over their numbers."""
    frame_figure(figure, heading, 7.5, 4.2)
    (axes,) = figure.axes
    dress_axes(axes, "", "trial", objective)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    feasible, *infeasible = axes.collections
    dress_points(feasible, TRAIN_COLOUR, "a complete trial")
    for points in infeasible:
        dress_points(points, _FAINT, "breaks a constraint", front=False)
    for line in axes.lines:
        line.set(color=BEST_COLOUR, linewidth=1.8, alpha=1, drawstyle="steps-post", label="best so far", zorder=4)
    write_legend(figure, axes)


def dress_importances(figure: Figure, heading: Heading, objectives: int) -> None:
    """Dresses the bars of how much each searched key matters."""
    (axes,) = figure.axes
    frame_figure(figure, heading, 7.5, 1.7 + 0.42 * len(axes.get_yticks()) * max(1, 0.6 * objectives))
    dress_axes(axes, "", "importance (all together: 1)", "")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0, labelsize=LABEL_SIZE, colors=INK)
    for container, colour in zip(axes.containers, (TRAIN_COLOUR, VAL_COLOUR), strict=False):
        for bar in container:
            bar.set_color(colour)
    for text in axes.texts:
        text.set(fontsize=SMALL_SIZE, color=FAINT_INK, text=f" {text.get_text()}")
    axes.set_xlim(0, max(bar.get_width() for container in axes.containers for bar in container) * 1.1)
    if objectives > 1:
        write_legend(figure, axes)


def dress_slices(
    figure: Figure, heading: Heading, objective: str, ranges: Mapping[str, Range], *, maximize: bool
) -> None:
    """Dresses the values over each searched key, and marks the best.

    Args:
        figure: The figure.
        heading: What stands above it.
        objective: What is optimized.
        ranges: The keys that hold numbers, by the names that they have in the picture.
        maximize: Whether the highest value is the best.
    """
    *panels, bar = figure.axes
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    frame_figure(figure, heading, max(3.0 * columns + 1, 5.5), 3.1 * rows + 0.9)
    grid = figure.add_gridspec(rows, columns)
    for index, axes in enumerate(panels):
        name = axes.get_xlabel()
        row, column = divmod(index, columns)
        axes.set_subplotspec(grid[row, column])
        dress_axes(axes, "", name, objective if column == 0 else "")
        axes.tick_params(labelleft=column == 0, labelbottom=True)
        if name in ranges:
            _set_range(axes, ranges[name])
        else:
            _set_categories(axes)
        points, *infeasible = axes.collections
        assert isinstance(points, PathCollection)
        size = 36 * _measure_crowd(len(np.asarray(points.get_offsets())))
        points.set(cmap=_SHADES, edgecolors="white", linewidths=0.4, zorder=3, sizes=[size])
        for other in infeasible:
            dress_points(other, _FAINT, "breaks a constraint", front=False)
        _mark_best(axes, points, maximize)
    bar.tick_params(labelsize=SMALL_SIZE, colors=FAINT_INK)
    bar.set_ylabel("trial", fontsize=LABEL_SIZE, color=INK)
    bar.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    write_legend(figure, *panels)


def dress_intermediate(
    figure: Figure, heading: Heading, objective: str, best: int | None, pruned: Collection[int]
) -> None:
    """Dresses the courses of the trials.

    Args:
        figure: The figure.
        heading: What stands above it.
        objective: What is optimized.
        best: Number of the best trial, where there is one.
        pruned: Numbers of the trials that the pruner has stopped.
    """
    frame_figure(figure, heading, 7.5, 4.6)
    (axes,) = figure.axes
    dress_axes(axes, "", "step", objective)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    crowd = _measure_crowd(len(axes.lines))
    for line in list(axes.lines):
        number = int(str(line.get_label()).removeprefix("Trial"))
        line.set(marker="", linewidth=1.1 * crowd)
        if number == best:
            line.set(color=VAL_COLOUR, alpha=1, linewidth=2.4, zorder=5, label=f"trial {number}, the best")
        elif number in pruned:
            line.set(color=_FAINT, alpha=0.9 * crowd, zorder=1, label="pruned")
            steps, values = (np.asarray(data) for data in line.get_data())
            axes.plot(steps[-1:], values[-1:], "x", color=FAINT_INK, markersize=5 * crowd, zorder=3)
        else:
            line.set(color=TRAIN_COLOUR, alpha=0.5 * crowd, zorder=2, label="a trial")
    write_legend(figure, axes)


def dress_parallel(figure: Figure, heading: Heading, logarithmic: Collection[str], best: float | None) -> None:
    """Dresses the trials as lines across one axis for each searched key.

    Args:
        figure: The figure.
        heading: What stands above it.
        logarithmic: The names, as they are in the picture, of what is searched by orders of magnitude.
        best: Value of the best trial, which the first axis shows, where there is one.
    """
    first, bar, *others = figure.axes
    names = [label.get_text() for label in first.get_xticklabels()]
    frame_figure(figure, heading, max(6.5, 1.55 * len(names) + 1.2), 4.6)
    lines = first.collections[0]
    assert isinstance(lines, LineCollection)
    crowd = _measure_crowd(len(lines.get_segments()))
    lines.set(linewidth=1.4 * crowd, alpha=0.85)
    colours = lines.get_cmap()
    lines.set_cmap(_SHADES.reversed() if str(colours.name).endswith("_r") else _SHADES)
    for segment in lines.get_segments():
        if best is not None and math.isclose(segment[0][1], best):
            first.plot(segment[:, 0], segment[:, 1], color=VAL_COLOUR, linewidth=2.4, zorder=5, label="the best")
    first.set_xticks(
        range(len(names)), [textwrap.fill(name.replace("_", "_ "), 14).replace("_ ", "_") for name in names]
    )
    first.tick_params(axis="x", length=0, pad=10, labelsize=LABEL_SIZE, labelcolor=INK, rotation=0)
    for label in first.get_xticklabels():
        label.set(rotation=0, ha="center")
    first.grid(visible=False)
    for name, axes in zip(names, [first, *others], strict=False):
        axes.grid(visible=False)
        axes.tick_params(axis="y", labelsize=SMALL_SIZE, labelcolor=FAINT_INK, color=FAINT_INK)
        for side in axes.spines.values():
            side.set_color(FAINT_INK)
        if name in logarithmic and axes.get_yscale() == "log":
            _set_log_ticks(axes, "y")
        elif not isinstance(axes.yaxis.get_major_formatter(), FixedFormatter | FuncFormatter):
            axes.yaxis.set_major_locator(MaxNLocator(nbins=6))
        for label in axes.get_yticklabels():
            # Lines cross the numbers of all axes but the first.
            label.set_bbox({"boxstyle": "square,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.8})
    bar.tick_params(labelsize=SMALL_SIZE, colors=FAINT_INK)
    bar.set_ylabel(bar.get_ylabel(), fontsize=LABEL_SIZE, color=INK)
    write_legend(figure, first)


def dress_front(figure: Figure, heading: Heading, first: str, second: str) -> None:
    """Dresses the trials by their two objectives, the front among them."""
    frame_figure(figure, heading, 6.5, 5.0)
    (axes,) = figure.axes
    dress_axes(axes, "", first, second)
    looks = {"Infeasible Trial": (_FAINT, "breaks a constraint"), "Best Trial": (VAL_COLOUR, "on the front")}
    for points in axes.collections:
        colour, text = looks.get(str(points.get_label()), (TRAIN_COLOUR, "a complete trial"))
        dress_points(points, colour, text, front=colour != _FAINT)
    write_legend(figure, axes)


def _mark_best(axes: Axes, points: PathCollection, maximize: bool) -> None:
    offsets = np.asarray(points.get_offsets(), dtype=float)
    if not len(offsets):
        return
    place = offsets[np.argmax(offsets[:, 1]) if maximize else np.argmin(offsets[:, 1])]
    axes.plot(
        place[:1],
        place[1:],
        linestyle="none",
        marker="o",
        markersize=12,
        markerfacecolor="none",
        markeredgecolor=VAL_COLOUR,
        markeredgewidth=2,
        zorder=5,
        label="the best",
    )


def _measure_crowd(number: int) -> float:
    """Returns how much thinner lines and points have to be drawn where there are many: 1 for few, less for more."""
    return max(0.3, min(1.0, math.sqrt(60 / max(number, 1))))


def _set_range(axes: Axes, span: Range) -> None:
    if span.logarithmic:
        margin = (span.high / span.low) ** 0.04
        axes.set_xlim(span.low / margin, span.high * margin)
        _set_log_ticks(axes, "x")
        return
    margin = 0.04 * (span.high - span.low) or 0.5
    axes.set_xlim(span.low - margin, span.high + margin)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))


def _set_log_ticks(axes: Axes, which: str) -> None:
    """Writes an axis by orders of magnitude with the numbers as they are typed, also where it spans less than one."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    decades = math.log10(high / low)
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2 else (1.0,), numticks=6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _set_categories(axes: Axes) -> None:
    # Optuna writes the representation of a Python object, with quotes around a string.
    names = [shorten(label.get_text().strip("'\""), 16) for label in axes.get_xticklabels()]
    axes.xaxis.set_major_locator(FixedLocator(list(range(len(names)))))
    axes.xaxis.set_major_formatter(FixedFormatter(names))
    axes.set_xlim(-0.5, len(names) - 0.5)
    if sum(map(len, names)) + 2 * len(names) > 26:
        for label in axes.get_xticklabels():
            label.set(rotation=30, ha="right", rotation_mode="anchor")
