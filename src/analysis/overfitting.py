"""Where overfitting starts: the epoch at which validation loss turned for good, and what a run records once."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from src.history import History

#: Generalization loss, in percent over the lowest validation loss so far, from which Prechelt calls a training
#: overfitted ("Early Stopping, But When?", in *Neural Networks: Tricks of the Trade*, 1998, criterion GL_5).
GENERALIZATION_LOSS_PERCENT = 5.0

#: A rise below so many standard deviations of what the curve does from one epoch to the next is noise. The lowest of
#: some tens of smoothed epochs lies one to one and a half of them below the course of the curve by chance alone.
NOISE_DEVIATIONS = 3.0

#: From the median absolute deviation to the standard deviation of a normal distribution, and from the deviation of
#: second differences to that of the values: the squares of 1, -2 and 1 sum to 6.
_MAD_TO_DEVIATION, _SECOND_DIFFERENCES = 1.4826, math.sqrt(6)
#: Second differences below which their deviation says nothing.
_FEWEST_DIFFERENCES = 8


def compute_metrics(history: History) -> dict[str, float]:
    """Returns all that a history with at least one epoch comes to: the last epoch's metrics and `compute_summary`'s."""
    return {**history.epochs[-1].metrics(), **compute_summary(history)}


def compute_overfit_epoch(val_loss: Sequence[float]) -> int | None:
    """Returns the epoch (from 1) where validation loss turned for good, or None if it never did.

    The curve is smoothed by a running median of three epochs, so that one noisy epoch is no turn. It turned for good if
    at its end, for at least two epochs and a tenth of the training, its generalization loss (the percentage by which it
    exceeds its minimum) stays above `GENERALIZATION_LOSS_PERCENT` and above what its noise alone would do. The turn is
    the raw curve's lowest epoch among the smoothed minimum and its two neighbours, since the median may be as low one
    epoch too early.

    A loss that is no number counts as infinite.
    """
    if len(val_loss) < 3:
        return None
    losses = [math.inf if math.isnan(loss) else loss for loss in val_loss]
    smooth = smooth_median(losses)
    lowest = min(range(len(smooth)), key=lambda index: smooth[index])
    rise = max(1 + GENERALIZATION_LOSS_PERCENT / 100, math.exp(NOISE_DEVIATIONS * compute_noise(losses)))
    threshold = smooth[lowest] * rise
    turn = min(range(max(0, lowest - 1), min(len(losses), lowest + 2)), key=lambda index: losses[index])
    overfitted = [loss > threshold for loss in smooth[turn + 1 :]]
    tail = count_tail(len(losses))
    return turn + 1 if len(overfitted) >= tail and all(overfitted[-tail:]) else None


def compute_noise(losses: Sequence[float]) -> float:
    """Returns the relative noise of a loss from epoch to epoch: the standard deviation of its logarithm.

    It is estimated from second differences, which a smooth curve hardly has, by their median absolute deviation, which
    a single jump does not change (the difference-based estimator of Gasser, Sroka and Jennen-Steinmetz, "Residual
    variance and residual pattern in nonlinear regression", Biometrika 73, 1986, made robust). Losses that have no
    finite logarithm are left out; of fewer than ten nothing can be said, and 0 is returned.
    """
    logarithms = [math.log(loss) for loss in losses if 0 < loss < math.inf]
    second = [a - 2 * b + c for a, b, c in zip(logarithms, logarithms[1:], logarithms[2:], strict=False)]
    if len(second) < _FEWEST_DIFFERENCES:
        return 0.0
    middle = statistics.median(second)
    deviation = statistics.median(abs(value - middle) for value in second)
    return _MAD_TO_DEVIATION * deviation / _SECOND_DIFFERENCES


def count_tail(num_epochs: int) -> int:
    """Returns how many epochs are the end of a training: a tenth of it, at least two."""
    return max(2, num_epochs // 10)


def smooth_median(values: Sequence[float]) -> list[float]:
    """Returns the running median over three neighbours; the two ends take the median of what there is."""
    return [statistics.median(values[max(0, i - 1) : i + 2]) for i in range(len(values))]


def compute_summary(history: History) -> dict[str, float]:
    """Returns the once-per-run metrics of a history with at least one epoch.

    `best_epoch` is the epoch of `best_val_accuracy`, and `best_gap_accuracy` the gap there: that of the weights which
    are kept. `best_val_loss` is the lowest of all epochs. `overfit_epoch` is absent where validation loss never turned
    for good.
    """
    best, last = history.best(), history.epochs[-1]
    summary = {
        "best_val_accuracy": best.val_accuracy,
        "best_val_loss": min(history.series("val_loss")),
        "best_epoch": float(best.epoch),
        "best_gap_accuracy": best.gap_accuracy,
        "final_gap_accuracy": last.gap_accuracy,
        "final_gap_loss": last.gap_loss,
        "epochs_run": float(len(history)),
    }
    overfit_epoch = compute_overfit_epoch(history.series("val_loss"))
    if overfit_epoch is not None:
        summary["overfit_epoch"] = float(history.epochs[overfit_epoch - 1].epoch)
    return summary
