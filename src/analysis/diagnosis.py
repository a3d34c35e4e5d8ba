"""The diagnosis of one training: does it overfit, underfit or diverge, since when, and what it has cost."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from src.analysis.overfitting import compute_noise, compute_overfit_epoch, count_tail, smooth_median
from src.history import EpochMetrics, History

#: Least gap in accuracy that is called overfitting without a turn of the loss: below it nobody would act.
LEAST_GAP = 0.03
#: Share of the validation error from which the gap, and not the error on the training images, is what is wrong. It
#: weighs variance against bias as A. Ng does (*Machine Learning Yearning*, 2018, chapters 20 to 22).
LARGER_PART = 0.5
#: Standard errors of the difference of two measured accuracies that a gap must exceed.
GAP_DEVIATIONS = 2.0
#: Fall of validation loss from one quarter of a training to its last, from which it was ended while it still learned.
STILL_LEARNING = 0.10
#: Validation error up to which a training is called neither unfinished nor, with a small gap, overfitted: hardly
#: anything is left to learn or to lose, and of a loss that is nearly nothing, 5 % is less still.
LEAST_ERROR = 0.03
#: Factor by which the loss on the training images must have grown over its start for a training to have diverged.
DIVERGED_GROWTH = 1.5

#: Epochs in a quarter below which no curve is long enough to say that it still falls.
_FEWEST_EPOCHS = 2


class Verdict(StrEnum):
    """What is to be said of a training in one word."""

    UNDERFITTING = "underfitting"
    HEALTHY = "healthy"
    OVERFITTING = "overfitting"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class Diagnosis:
    """What one history says.

    Attributes:
        verdict: The verdict in one word.
        reason: The same in a sentence, with the figures on which it rests.
        best: The epoch with the best validation accuracy; its gap is that of the weights which are kept.
        last: The last epoch.
        onset: The epoch from which validation loss has turned for good; None if it never did.
        lost_accuracy: Validation accuracy at the best epoch less the median of the last epochs: what training on has
            cost; never below 0.
        lost_loss: Median validation loss of the last epochs less the lowest of the smoothed curve; never below 0.
    """

    verdict: Verdict
    reason: str
    best: EpochMetrics
    last: EpochMetrics
    onset: int | None
    lost_accuracy: float
    lost_loss: float


def diagnose(
    history: History,
    *,
    chance: float | None = None,
    num_train_eval: int | None = None,
    num_val: int | None = None,
) -> Diagnosis:
    """Returns the diagnosis of a history with at least one epoch.

    A training has **diverged** if its loss ended without a finite value, or the loss on the training images ended far
    above where it began. It is **overfitting** if validation loss turned for good (`compute_overfit_epoch`), or if the
    gap is the larger part of the validation error and more than the images measured can show by chance. It is
    **underfitting** if it has learned less than half of what there is between chance and no error on the training
    images themselves, or was ended while validation loss still fell. Otherwise it is **healthy**.

    Args:
        history: The epochs.
        chance: Accuracy of always answering the most common class; None where it is not known, and then a training
            that has hardly learned anything is not recognized as such.
        num_train_eval: Training images that were measured; None where that is not known.
        num_val: Validation images.

    Raises:
        ValueError: There is no epoch.
    """
    best, last = history.best(), history.epochs[-1]
    val_loss = history.series("val_loss")
    tail = count_tail(len(history))
    turn = compute_overfit_epoch(val_loss)
    onset = None if turn is None else history.epochs[turn - 1].epoch
    ended_at = statistics.median(history.series("val_accuracy")[-tail:])
    lowest = min(smooth_median([math.inf if math.isnan(loss) else loss for loss in val_loss]))
    rise = statistics.median(val_loss[-tail:]) - lowest
    verdict, reason = _judge(history, onset, lowest, chance, _gap_tolerance(best, num_train_eval, num_val))
    return Diagnosis(
        verdict=verdict,
        reason=reason,
        best=best,
        last=last,
        onset=onset,
        lost_accuracy=max(0.0, best.val_accuracy - ended_at),
        # A loss without a finite end has lost all there was.
        lost_loss=max(0.0, rise) if not math.isnan(rise) else math.inf,
    )


def _judge(
    history: History, onset: int | None, lowest: float, chance: float | None, tolerance: float
) -> tuple[Verdict, str]:
    """Returns verdict and reason, the gravest first."""
    best, last, tail = history.best(), history.epochs[-1], count_tail(len(history))
    if not math.isfinite(last.val_loss) or not math.isfinite(last.train_eval_loss):
        return Verdict.DIVERGED, f"The loss has no finite value any more at epoch {last.epoch}."
    first_loss = history.epochs[0].train_eval_loss
    last_loss = statistics.median(history.series("train_eval_loss")[-tail:])
    if len(history) > tail and last_loss > DIVERGED_GROWTH * first_loss > 0:
        return Verdict.DIVERGED, (
            f"The loss on the training images themselves grew from {first_loss:.3g} to {last_loss:.3g}."
        )
    gap = f"{_percent(last.train_eval_accuracy)} on training images, {_percent(last.val_accuracy)} on validation images"
    if onset is not None and 1 - best.val_accuracy <= LEAST_ERROR and last.gap_accuracy <= LEAST_GAP:
        return Verdict.HEALTHY, (
            f"Validation loss turned at epoch {onset}, as the network grew surer of its few mistakes, but that cost "
            f"next to nothing: at the end {gap}."
        )
    if onset is not None:
        ended = statistics.median(history.series("val_loss")[-tail:])
        growth = f" and ended {100 * (ended / lowest - 1):.0f} % above its lowest" if lowest > 0 else ""
        return Verdict.OVERFITTING, (
            f"Validation loss turned for good at epoch {onset} of {len(history)}{growth}; at the end {gap}."
        )
    error = 1 - last.val_accuracy
    if last.gap_accuracy > tolerance and last.gap_accuracy > LARGER_PART * error:
        return Verdict.OVERFITTING, (
            f"Validation loss has not turned, but the gap is most of the validation error: at the end {gap}."
        )
    if chance is not None and best.train_eval_accuracy < (1 + chance) / 2:
        return Verdict.UNDERFITTING, (
            f"Even on the training images it is right for {_percent(best.train_eval_accuracy)} only, where always "
            f"answering the most common class gives {_percent(chance)}."
        )
    fall = _measure_fall(history.series("val_loss"))
    if fall is not None and 1 - best.val_accuracy > LEAST_ERROR:
        return Verdict.UNDERFITTING, (
            f"It was ended while it still learned: over the last quarter of its {len(history)} epochs validation loss "
            f"was {100 * fall:.0f} % lower than over the quarter before."
        )
    return Verdict.HEALTHY, f"Validation loss has not turned; at the end {gap}."


def _gap_tolerance(epoch: EpochMetrics, num_train_eval: int | None, num_val: int | None) -> float:
    """Returns the gap that images measured by chance can show, at least `LEAST_GAP`."""
    if num_train_eval is None or num_val is None:
        return LEAST_GAP
    accuracy = min(1.0, max(0.0, epoch.val_accuracy))
    error = math.sqrt(accuracy * (1 - accuracy) * (1 / num_train_eval + 1 / num_val))
    return max(LEAST_GAP, GAP_DEVIATIONS * error)


def _measure_fall(val_loss: Sequence[float]) -> float | None:
    """Returns by which share a loss is lower in its last quarter than in the one before; None if that is unclear.

    Medians are compared, so that it is not a single high epoch that a low one follows.
    """
    quarter = len(val_loss) // 4
    if quarter < _FEWEST_EPOCHS or not all(map(math.isfinite, val_loss)):
        return None
    before, after = (statistics.median(part) for part in (val_loss[-2 * quarter : -quarter], val_loss[-quarter:]))
    if before <= 0:
        return None
    fall = 1 - after / before
    return fall if fall > max(STILL_LEARNING, 1 - math.exp(-2 * compute_noise(val_loss))) else None


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
