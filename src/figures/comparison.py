"""The arms of a sweep side by side: whose gap opens, and when."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from src.figures.panels import (
    compute_accuracy_scale,
    compute_shared_loss_scale,
    draw_panel,
    find_best,
    mark_overfit_epoch,
    set_epoch_axis,
    set_percent_axis,
)
from src.figures.style import (
    FAINT_INK,
    INK,
    LABEL_SIZE,
    SMALL_SIZE,
    VAL_COLOUR,
    dress_axes,
    new_figure,
    percent,
    points,
    shorten,
)
from src.history import History

#: Arms side by side before a new row begins, and arms in one picture.
COLUMNS, MAX_ARMS = 4, 24

#: What the shared legend says of each label under which something is drawn.
LEGEND = {
    "train_eval": "training images (train_eval)",
    "val": "validation images (val)",
    "gap": "gap",
    "best": "best validation accuracy",
    "overfit": "overfitting from here",
}


@dataclass(frozen=True)
class Arm:
    """One of the things that a sweep compares.

    Attributes:
        name: What tells it from the others, for example `model=vgg16`.
        history: The epochs of its best training; may be empty if it failed.
        overfit_epoch: Where validation loss turned for good, if it did.
        failed: Why it has no result, if it has none.
    """

    name: str
    history: History
    overfit_epoch: int | None
    failed: str | None = None


def plot_comparison(arms: Sequence[Arm], title: str) -> Figure:
    """Draws for every arm accuracy above loss, all on the same axes.

    Args:
        arms: The arms in the order in which they are to be read; of more than `MAX_ARMS` the first ones are drawn.
        title: The question that the sweep answers.

    Returns:
        A figure with two panels per arm.
    """
    shown = list(arms[:MAX_ARMS])
    hidden = len(arms) - len(shown)
    subtitle = f"the first {len(shown)} of {len(arms)} arms" if hidden else ""
    if not shown:
        figure = new_figure(7, 2.2, title)
        axes = figure.subplots()
        axes.axis("off")
        axes.text(0.5, 0.5, "There is no arm to compare.", ha="center", va="center", color=FAINT_INK)
        return figure
    columns = min(COLUMNS, len(shown))
    bands = -(-len(shown) // columns)
    figure = new_figure(max(3.3 * columns + 0.6, 7), 4.3 * bands + 1.1, title, subtitle)
    grid = figure.subplots(2 * bands, columns, squeeze=False)
    histories = [arm.history for arm in shown]
    scales = {"accuracy": compute_accuracy_scale(histories), "loss": compute_shared_loss_scale(histories)}
    last_epoch = max((epoch.epoch for history in histories for epoch in history.epochs), default=1)
    handles: dict[str, Artist] = {}
    for index in range(bands * columns):
        band, column = divmod(index, columns)
        for half, (measure, scale) in enumerate(scales.items()):
            axes = grid[2 * band + half, column]
            if index >= len(shown):
                axes.axis("off")
                continue
            arm = shown[index]
            dress_axes(axes, "", "epoch" if half else "", measure if column == 0 else "")
            set_epoch_axis(axes, last_epoch)
            if measure == "accuracy":
                set_percent_axis(axes)
                _write_head(axes, arm)
            scale.apply(axes)
            # Equal axes need their numbers only once per row and once per column.
            axes.tick_params(labelleft=column == 0, labelbottom=bool(half))
            if arm.history.epochs:
                draw_panel(axes, arm.history, measure)
            if arm.overfit_epoch is not None:
                mark_overfit_epoch(axes, arm.overfit_epoch, last_epoch, f"epoch {arm.overfit_epoch}" if half else "")
            if arm.failed and not half:
                _write_failure(axes, arm.failed)
            drawn, labels = axes.get_legend_handles_labels()
            handles |= dict(zip(labels, drawn, strict=True))
    figure.align_ylabels()
    keys = [key for key in LEGEND if key in handles]
    if keys:
        figure.legend(
            [handles[key] for key in keys],
            [LEGEND[key] for key in keys],
            loc="outside lower center",
            ncols=len(keys) if columns > 2 else 3,
            fontsize=SMALL_SIZE,
            frameon=False,
        )
    return figure


def break_name(name: str, width: int = 31) -> str:
    """Returns a name on at most two lines of `width` characters, broken after a comma between two overrides."""
    if len(name) <= width:
        return name
    end = name.rfind(",", 0, width) + 1 or width
    return f"{name[:end]}\n{shorten(name[end:].lstrip(), width)}"


def _write_head(axes: Axes, arm: Arm) -> None:
    """Writes an arm's name and its result above its upper panel."""
    best = find_best(arm.history)
    if best is None or arm.failed:
        result = "failed" if arm.failed else "no finished epoch"
    else:
        result = f"best {percent(best.val_accuracy)} at epoch {best.epoch}, gap {points(best.gap_accuracy)}"
    axes.set_title(
        break_name(arm.name) + "\n", fontsize=LABEL_SIZE, fontweight="bold", color=INK, loc="left", parse_math=False
    )
    axes.annotate(
        result,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 5),
        textcoords="offset points",
        fontsize=SMALL_SIZE,
        color=VAL_COLOUR if arm.failed else FAINT_INK,
    )


def _write_failure(axes: Axes, reason: str) -> None:
    """Writes into an arm's upper panel why it has no result."""
    axes.text(
        0.5,
        0.5,
        textwrap.fill(shorten(reason, 160), 34),
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=SMALL_SIZE,
        color=VAL_COLOUR,
        parse_math=False,
        bbox={"boxstyle": "square,pad=0.3", "facecolor": "white", "edgecolor": VAL_COLOUR, "linewidth": 0.8},
    )
