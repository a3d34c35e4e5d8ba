"""The curves of one training: accuracy and loss over the epochs."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from src.figures.panels import (
    compute_accuracy_scale,
    compute_loss_scale,
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
    RUNNING_COLOUR,
    SMALL_SIZE,
    dress_axes,
    new_figure,
    percent,
    points,
)
from src.history import History

#: What each curve is called in the legend, by the label under which it is drawn.
LEGEND = {
    "train_eval": "training images, measured as validation is (train_eval)",
    "val": "validation images (val)",
    "gap": "gap between the two: grows when the network overfits",
    "running": "Keras's running training average (dropout and augmentation on)",
    "best": "epoch with the best validation accuracy",
    "overfit": "validation loss turns for good: overfitting from here",
}


def plot_curves(history: History, title: str, overfit_epoch: int | None = None) -> Figure:
    """Draws accuracy on the left and loss on the right, each for training and validation images.

    Args:
        history: The epochs; may be empty, and may hold values that are not finite.
        title: Name of the training.
        overfit_epoch: The epoch where validation loss turned for good, if it did.

    Returns:
        A figure with two panels.
    """
    figure = new_figure(11, 5.2, title, _summarize(history))
    panels = figure.subplots(1, 2)
    last_epoch = history.epochs[-1].epoch if history.epochs else 1
    for axes, measure in zip(panels, ("accuracy", "loss"), strict=True):
        dress_axes(axes, measure, "epoch")
        set_epoch_axis(axes, last_epoch)
        if not history.epochs:
            axes.text(0.5, 0.5, "no finished epoch", transform=axes.transAxes, ha="center", color=FAINT_INK)
            continue
        draw_panel(axes, history, measure)
        axes.plot(
            [epoch.epoch for epoch in history.epochs],
            history.series(f"train_{measure}"),
            color=RUNNING_COLOUR,
            linewidth=1.1,
            linestyle=(0, (3, 2)),
            marker="." if len(history) == 1 else "",
            zorder=1.9,
            label="running",
        )
        if overfit_epoch is not None:
            # Accuracies fill the top of their panel, losses the bottom.
            height = 0.02 if measure == "accuracy" else 0.985
            mark_overfit_epoch(axes, overfit_epoch, last_epoch, f"overfits from epoch {overfit_epoch}", height=height)
    accuracy, loss = panels
    compute_accuracy_scale([history]).apply(accuracy)
    set_percent_axis(accuracy)
    scale = compute_loss_scale([history])
    scale.apply(loss)
    if scale.logarithmic:
        loss.set_title("loss (logarithmic)", fontsize=LABEL_SIZE + 1, color=INK, loc="left")
    _note_lost_epochs(loss, history)
    if history.epochs:
        handles = dict(zip(*reversed(accuracy.get_legend_handles_labels()), strict=True))
        shown = [key for key in LEGEND if key in handles]
        figure.legend(
            [handles[key] for key in shown],
            [LEGEND[key] for key in shown],
            loc="outside lower center",
            ncols=2,
            fontsize=SMALL_SIZE,
            frameon=False,
        )
    return figure


def _summarize(history: History) -> str:
    """Returns the best validation accuracy, its epoch and the gap there, in words."""
    best = find_best(history)
    if best is None:
        return ""
    return (
        f"best validation accuracy {percent(best.val_accuracy)} at epoch {best.epoch} of {len(history)}"
        f" · gap there {points(best.gap_accuracy)}"
    )


def _note_lost_epochs(axes: Axes, history: History) -> None:
    """Says in which epochs the loss was not a number, if there are any: a curve that just ends looks like a defect."""
    lost = [epoch.epoch for epoch in history.epochs if not math.isfinite(epoch.val_loss + epoch.train_eval_loss)]
    if not lost:
        return
    to_the_end = lost == [epoch.epoch for epoch in history.epochs[-len(lost) :]]
    when = f"from epoch {lost[0]} on" if to_the_end else f"in {len(lost)} epochs, first in epoch {lost[0]}"
    axes.text(
        0.98,
        0.9,
        f"not a finite number {when}",
        transform=axes.transAxes,
        ha="right",
        fontsize=SMALL_SIZE,
        color=INK,
        bbox={"boxstyle": "square,pad=0.3", "facecolor": "white", "edgecolor": FAINT_INK, "linewidth": 0.8},
    )
