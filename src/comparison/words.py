"""Figures and effects in words, the same in the page, the findings and the tables."""

from __future__ import annotations

from src.analysis.effects import GAP, VAL_ACCURACY, Effect
from src.analysis.influence import Influence
from src.analysis.intervals import Estimate
from src.page.wording import change, interval


def points(difference: float) -> str:
    """Returns a difference of two shares with its sign, for example `+2.0 points`."""
    return f"{change(difference)} points"


def describe_estimate(estimate: Estimate) -> str:
    """Returns a difference of two shares with its interval, if it has one: `+11.2 points [+8.4, +14.0]`."""
    return f"{points(estimate.mean)} {interval(estimate)}" if estimate.has_interval else points(estimate.mean)


def describe_change(effect: Effect) -> str:
    """Returns the change in words: `dropout 0.5 instead of 0`."""
    return f"{effect.key.rpartition('.')[2]} {effect.level} instead of {effect.baseline}"


def judge_effect(effect: Effect) -> str:
    """Returns what an effect comes to: `less overfitting, no clear change of validation accuracy`."""
    gap, accuracy = effect.differences[GAP], effect.differences[VAL_ACCURACY]
    if not gap.has_interval:
        return "one pair of runs: this may be chance"
    parts = [
        _judge(gap, "less overfitting", "more overfitting", "no clear change of the gap"),
        _judge(accuracy, "lower accuracy", "higher accuracy", "no clear change of validation accuracy"),
    ]
    return ", ".join(parts)


def judge_influence(gap: Influence | None, accuracy: Influence | None) -> str:
    """Returns what a searched key does to the gap and to validation accuracy, as far as the trials show it."""
    parts = [
        _judge(gap.effect, "less overfitting", "more overfitting", "no clear effect on the gap") if gap else "",
        _judge(accuracy.effect, "lower accuracy", "higher accuracy", "no clear effect on accuracy") if accuracy else "",
    ]
    return ", ".join(filter(None, parts))


def _judge(estimate: Estimate, below: str, above: str, unclear: str) -> str:
    if not estimate.excludes_zero:
        return unclear
    return below if estimate.mean < 0 else above
