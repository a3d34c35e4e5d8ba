"""The curves of one training: accuracy and loss over the epochs."""

from __future__ import annotations

import math

from src.figures.panels import LEGEND_LINE, Chart, Note, Panel, draw_history, write_legend
from src.figures.scales import compute_accuracy_scale, compute_loss_scale, find_best
from src.figures.sheet import LABEL_HEIGHT
from src.figures.style import FAINT_INK, percent, points
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

#: A panel, and what is left free at its left for its numbers, above it for its name and below it for the epochs.
PANEL_SIZE = (550, 360)
LEFT, ABOVE, BELOW, BETWEEN = 58, 24, 60, 12


def plot_curves(history: History, title: str, overfit_epoch: int | None = None) -> Chart:
    """Draws accuracy on the left and loss on the right, each for training and validation images.

    Args:
        history: The epochs; may be empty, and may hold values that are not finite.
        title: Name of the training.
        overfit_epoch: The epoch where validation loss turned for good, if it did.

    Returns:
        A chart with two panels.
    """
    last_epoch = history.epochs[-1].epoch if history.epochs else 1
    scales = {"accuracy": compute_accuracy_scale([history]), "loss": compute_loss_scale([history])}
    shown = {"train_eval", "val", "gap", "running"} if history.epochs else set()
    shown |= {"best"} if find_best(history) else set()
    shown |= {"overfit"} if history.epochs and overfit_epoch is not None else set()
    legend = {key: text for key, text in LEGEND.items() if key in shown}
    below = ABOVE + PANEL_SIZE[1] + BELOW
    width = 2 * (LEFT + PANEL_SIZE[0]) + BETWEEN
    chart = Chart(width, below + -(-len(legend) // 2) * LEGEND_LINE, title, _summarize(history))
    for number, (measure, scale) in enumerate(scales.items()):
        left = LEFT + number * (LEFT + PANEL_SIZE[0] + BETWEEN)
        name = f"{measure} (logarithmic)" if scale.logarithmic else measure
        chart.write(left, ABOVE - 5, name, height=LABEL_HEIGHT, anchor="ld")
        panel = chart.add_panel((left, ABOVE), PANEL_SIZE, scale, last_epoch, percent=measure == "accuracy")
        if history.epochs:
            epochs = [epoch.epoch for epoch in history.epochs]
            draw_history(panel, history, measure)
            panel.draw_line(epochs, history.series(f"train_{measure}"), "running", marked=len(history) == 1)
        else:
            panel.notes.append(Note("no finished epoch", 0.5, 0.5, colour=FAINT_INK))
        if history.epochs and overfit_epoch is not None:
            # Accuracies fill the top of their panel, losses the bottom.
            panel.mark_overfit(overfit_epoch, f"overfits from epoch {overfit_epoch}", at_top=measure == "loss")
        if measure == "loss":
            _note_lost_epochs(panel, history)
        panel.finish()
    write_legend(chart, below, width, legend, 2)
    return chart


def _summarize(history: History) -> str:
    """Returns the best validation accuracy, its epoch and the gap there, in words."""
    best = find_best(history)
    if best is None:
        return ""
    return (
        f"best validation accuracy {percent(best.val_accuracy)} at epoch {best.epoch} of {len(history)}"
        f" · gap there {points(best.gap_accuracy)}"
    )


def _note_lost_epochs(panel: Panel, history: History) -> None:
    """Says in which epochs the loss was not a number, if there are any: a curve that just ends looks like a defect."""
    lost = [epoch.epoch for epoch in history.epochs if not math.isfinite(epoch.train_eval_loss + epoch.val_loss)]
    if not lost:
        return
    to_the_end = lost == [epoch.epoch for epoch in history.epochs[-len(lost) :]]
    when = f"from epoch {lost[0]} on" if to_the_end else f"in {len(lost)} epochs, first in epoch {lost[0]}"
    panel.notes.append(Note(f"not a finite number {when}", 0.98, 0.08, "ra", frame=FAINT_INK))
