"""The measure of overfitting: what one history says about it, computed from clean curves only."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from src.history import History

#: Generalization loss, in percent over the lowest validation loss so far, from which Prechelt calls a training
#: overfitted ("Early Stopping, But When?", in *Neural Networks: Tricks of the Trade*, 1998, criterion GL_5).
GENERALIZATION_LOSS_PERCENT = 5.0


def compute_metrics(history: History) -> dict[str, float]:
    """Returns all that a history with at least one epoch comes to: the last epoch's metrics and `compute_summary`'s."""
    return {**history.epochs[-1].metrics(), **compute_summary(history)}


def compute_overfit_epoch(val_loss: Sequence[float]) -> int | None:
    """Returns the epoch (from 1) where validation loss turned for good, or None if it never did.

    The curve is smoothed by a running median of three epochs, so that one noisy epoch is no turn. It turned for good if
    at its end, for at least two epochs and a tenth of the training, its generalization loss (the percentage by which it
    exceeds its minimum) stays above `GENERALIZATION_LOSS_PERCENT`. The turn is the raw curve's lowest epoch among the
    smoothed minimum and its two neighbours, since the median may be as low one epoch too early.

    A loss that is no number counts as infinite.
    """
    if len(val_loss) < 3:
        return None
    losses = [math.inf if math.isnan(loss) else loss for loss in val_loss]
    smooth = smooth_median(losses)
    lowest = min(range(len(smooth)), key=lambda index: smooth[index])
    threshold = smooth[lowest] * (1 + GENERALIZATION_LOSS_PERCENT / 100)
    turn = min(range(max(0, lowest - 1), min(len(losses), lowest + 2)), key=lambda index: losses[index])
    overfitted = [loss > threshold for loss in smooth[turn + 1 :]]
    tail = max(2, len(losses) // 10)
    return turn + 1 if len(overfitted) >= tail and all(overfitted[-tail:]) else None


def smooth_median(values: Sequence[float]) -> list[float]:
    """Returns the running median over three neighbours; the two ends take the median of what there is."""
    return [statistics.median(values[max(0, i - 1) : i + 2]) for i in range(len(values))]


def compute_summary(history: History) -> dict[str, float]:
    """Returns the once-per-run metrics of a history with at least one epoch.

    `best_epoch` is the epoch of `best_val_accuracy`; `best_val_loss` is the lowest of all epochs. `overfit_epoch` is
    absent where validation loss never turned for good.
    """
    best, last = history.best(), history.epochs[-1]
    summary = {
        "best_val_accuracy": best.val_accuracy,
        "best_val_loss": min(history.series("val_loss")),
        "best_epoch": float(best.epoch),
        "final_gap_accuracy": last.gap_accuracy,
        "final_gap_loss": last.gap_loss,
        "epochs_run": float(len(history)),
    }
    overfit_epoch = compute_overfit_epoch(history.series("val_loss"))
    if overfit_epoch is not None:
        summary["overfit_epoch"] = float(history.epochs[overfit_epoch - 1].epoch)
    return summary
