"""Figures that another library has drawn, lent to be dressed like all others."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from src.figures.style import SMALL_SIZE, shorten, write_title


@dataclass(frozen=True)
class Heading:
    """What stands above a picture.

    Attributes:
        title: In large letters.
        subtitle: In smaller letters below it.
    """

    title: str
    subtitle: str = ""


@contextmanager
def borrow_figure(draw: Callable[[], Any]) -> Iterator[Figure]:
    """Lends the figure that a function has drawn through pyplot; whatever it changed is undone afterwards.

    pyplot is told to open no window.

    Args:
        draw: Draws, and returns the axes or an array of them.
    """
    matplotlib.use("agg")
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    # Optuna's plots set a style for everybody, are experimental, and say so each time.
    with rc_context({"figure.constrained_layout.use": True}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield np.ravel(draw())[0].figure
        finally:
            for number in set(pyplot.get_fignums()) - set(before):
                pyplot.close(number)


def frame_figure(figure: Figure, heading: Heading, width: float, height: float) -> None:
    """Gives a figure a size in inches, a white ground and a heading, instead of titles and legends of its own."""
    figure.set_size_inches(width, height)
    figure.set_layout_engine("constrained")
    figure.set_facecolor("white")
    for axes in figure.axes:
        axes.set_facecolor("white")
        axes.set_title("")
        legend = axes.get_legend()
        if legend is not None:
            legend.remove()
    write_title(figure, shorten(heading.title, int(width * 8)), heading.subtitle)


def dress_points(points: Any, colour: str, label: str, *, front: bool = True) -> None:
    """Gives points one colour, and a label for the legend; with `front` they lie above others."""
    points.set(facecolor=colour, edgecolor="white", linewidth=0.6, alpha=1, zorder=3 if front else 2, label=label)


def write_legend(figure: Figure, *panels: Axes) -> None:
    """Writes what is labelled in any of the panels below them, each label once."""
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            if not (isinstance(handle, PathCollection) and not len(np.asarray(handle.get_offsets()))):
                handles.setdefault(label, handle)
    if handles:
        figure.legend(
            [_thicken(handle) for handle in handles.values()],
            list(handles),
            loc="outside lower center",
            ncols=len(handles),
            fontsize=SMALL_SIZE,
            frameon=False,
        )


def _thicken(handle: Any) -> Any:
    """Returns a line that can be seen in a legend; anything else as it is."""
    if not isinstance(handle, Line2D) or handle.get_linestyle() == "None":
        return handle
    return Line2D([], [], color=handle.get_color(), linewidth=2.2)
