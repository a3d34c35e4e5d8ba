"""The look of every picture, and how one becomes a file.

Figures are made as objects, never through pyplot, so that no window system is needed and nothing global is changed.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from src.figures.files import encode_picture, write_picture

if TYPE_CHECKING:
    from src.figures.sheet import Sheet

# Colours by M. Okabe and K. Ito, "Color Universal Design", 2008: told apart with every kind of colour vision.
TRAIN_COLOUR = "#0072B2"
VAL_COLOUR = "#D55E00"
BEST_COLOUR = "#009E73"
RUNNING_COLOUR = "#56B4E9"
INK = "#222222"
FAINT_INK = "#666666"
GRID_COLOUR = "#DDDDDD"

TITLE_SIZE = 13.0
LABEL_SIZE = 10.0
SMALL_SIZE = 8.5

#: Pixels per inch of a saved picture.
DOTS_PER_INCH = 120


def new_figure(width: float, height: float, title: str, subtitle: str = "") -> Figure:
    """Returns an empty white figure of a size in inches, with a title and, below it, lines in smaller letters."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    write_title(figure, title, subtitle)
    return figure


def write_title(figure: Figure, title: str, subtitle: str = "") -> None:
    """Writes a title above a figure of its final size and, below it, lines in smaller letters."""
    lines = subtitle.splitlines()
    # Names of runs and files may hold a dollar sign, which must not be read as the start of a formula.
    figure.suptitle(title + "\n" * len(lines), fontsize=TITLE_SIZE, fontweight="bold", color=INK, parse_math=False)
    for index, line in enumerate(lines):
        # These lines take the title's empty ones, for which the layout has made room.
        below_top = TITLE_SIZE * 1.25 * (index + 1.35) + 3
        figure.text(
            0.5,
            1 - below_top / 72 / figure.get_figheight(),
            line,
            ha="center",
            va="center",
            fontsize=LABEL_SIZE,
            color=FAINT_INK,
            parse_math=False,
        )


def dress_axes(axes: Axes, title: str = "", x_label: str = "", y_label: str = "") -> None:
    """Gives a panel its labels, a faint grid and no frame but the two axes."""
    axes.set_title(title, fontsize=LABEL_SIZE + 1, color=INK, loc="left", parse_math=False)
    axes.set_xlabel(x_label, fontsize=LABEL_SIZE, color=INK)
    axes.set_ylabel(y_label, fontsize=LABEL_SIZE, color=INK)
    axes.tick_params(which="both", labelsize=SMALL_SIZE, colors=FAINT_INK)
    axes.grid(visible=True, color=GRID_COLOUR, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT_INK)


def shorten(text: str, length: int) -> str:
    """Returns a text of at most `length` characters, its middle replaced by an ellipsis where it was longer."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return text[: length - 1 - tail] + "…" + text[len(text) - tail :]


def percent(share: float, digits: int = 1) -> str:
    """Returns a share of one in words, for example `84.8 %`."""
    return f"{100 * share:.{digits}f} %"


def points(difference: float) -> str:
    """Returns a difference between two shares in words, for example `22.8 points`; never a negative zero."""
    return f"{round(100 * difference, 1) + 0:.1f} points"


def save_figure(figure: Figure | Sheet, path: Path) -> None:
    """Writes a figure or a sheet as PNG; the file appears under its name only once it is complete.

    Raises:
        StorageError: The file cannot be written.
    """
    if not isinstance(figure, Figure):
        write_picture(encode_picture(figure.image), path)
        return
    figure.set_dpi(DOTS_PER_INCH)
    # `savefig` would draw everything a second time, for the sake of formats that know no pixels.
    canvas: Any = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        # A class name in a script that the font lacks is drawn as boxes, which shows well enough.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        canvas.draw()
    write_picture(encode_picture(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")), path)
