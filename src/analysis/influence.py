"""How much each searched key matters, for the gap and for validation accuracy, from trials that repeat nothing."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.analysis.intervals import CONFIDENCE, RESAMPLES, Estimate

#: Trials per column of the additive model below which nothing is estimated.
_TRIALS_PER_COLUMN = 2
#: Fewest trials of all.
_FEWEST_TRIALS = 8
#: Penalty on the coefficients of standardized columns, per trial: enough to keep a resample with equal trials solvable.
_RIDGE = 1e-2
#: The effect of a number is that between these shares of the values tried.
_LOW, _HIGH = 0.1, 0.9

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """One complete trial, as evidence.

    Attributes:
        params: The searched keys' values as text; a key that was not searched in it is absent.
        values: Its figures, by name.
    """

    params: Mapping[str, str]
    values: Mapping[str, float]


@dataclass(frozen=True)
class Influence:
    """How much one searched key matters for one measure.

    Attributes:
        key: The key.
        share: Share of the measure's variation between the trials that it explains, 0 to 1.
        effect: Change of the measure from the first to the second of `between`, with a bootstrap interval over trials.
        between: Two of its values: the ends of the middle four fifths of those tried, or for a category the one with
            the lowest and the one with the highest measure.
    """

    key: str
    share: float
    effect: Estimate
    between: tuple[str, str]


@dataclass(frozen=True)
class Influences:
    """How much each searched key matters for one measure.

    Attributes:
        measure: The measure.
        keys: The influence of each key that was searched.
        explained: Share of the variation that all keys together predict of trials left out, 0 to 1; where it is near
            0, the shares are chance.
        count: Trials on which it rests.
    """

    measure: str
    keys: tuple[Influence, ...]
    explained: float
    count: int


@dataclass(frozen=True)
class _Term:
    """A key's columns in the additive model.

    Attributes:
        key: The key.
        columns: [trials, columns], standardized.
        low: [columns], the columns at the first of the two values between which the effect is taken; None of a
            category, whose two values are found by what they do.
        high: [columns], at the second.
        labels: The two values as text; of a category all of its values, one for each column.
    """

    key: str
    columns: _Array
    low: _Array | None
    high: _Array | None
    labels: tuple[str, ...]


def estimate_influences(
    trials: Sequence[Trial],
    measure: str,
    *,
    logarithmic: Collection[str] = (),
    contrasts: Mapping[str, tuple[str, str]] | None = None,
    seed: int = 0,
) -> Influences | None:
    """Returns how much each key matters for a measure; None where there are too few trials to say.

    An additive model is fitted: a parabola for each number (on a logarithmic axis where it was searched so), a constant
    for each category; a straight line instead of each parabola where that predicts left-out trials better, as few
    trials do not bear more. The share of a key is the covariance of its part of the prediction with the measure, over
    the measure's variance: shares of all keys sum to the share explained (J. W. Pratt, "Dividing the indivisible: using
    simple symmetry to partition variance explained", Proc. 2nd Int. Tampere Conf. in Statistics, 1987). Intervals are
    those of a bootstrap over trials.

    Trials of a sampler that learns crowd where it is good, so that a key can matter more than what is seen here.

    Args:
        trials: The complete trials; those without a finite measure are left out.
        measure: A key of their values.
        logarithmic: Keys that were searched on a logarithmic axis.
        contrasts: Of categories, the two values between which the effect is taken, as another measure has found them.
        seed: Seed of the resampling.
    """
    usable = [trial for trial in trials if math.isfinite(trial.values.get(measure, math.nan))]
    keys = [key for key in dict.fromkeys(key for trial in usable for key in trial.params) if _varies(usable, key)]
    y = np.array([trial.values[measure] for trial in usable], dtype=float)
    if not keys or len(usable) < _FEWEST_TRIALS or not np.ptp(y) > 0:
        return None
    candidates = []
    for degree in (1, 2):
        terms = [_build_term(usable, key, key in logarithmic, degree) for key in keys]
        if len(usable) >= _TRIALS_PER_COLUMN * (1 + sum(term.columns.shape[1] for term in terms)):
            candidates.append((_left_out_error(terms, y), degree, terms))
    if not candidates:
        return None
    error, _, terms = min(candidates, key=lambda candidate: candidate[:2])
    return Influences(
        measure=measure,
        keys=tuple(_measure_influences(terms, y, contrasts or {}, seed)),
        explained=max(0.0, 1 - error / float(np.mean((y - y.mean()) ** 2))),
        count=len(usable),
    )


def _varies(trials: Sequence[Trial], key: str) -> bool:
    return len({trial.params.get(key) for trial in trials}) > 1


def _build_term(trials: Sequence[Trial], key: str, logarithmic: bool, degree: int) -> _Term:
    texts = [trial.params.get(key, "-") for trial in trials]
    numbers = [_to_number(text) for text in texts]
    if any(number is None for number in numbers) or len(set(texts)) < 3:
        labels = tuple(dict.fromkeys(sorted(texts)))
        columns = np.array([[text == label for label in labels] for text in texts], dtype=float)
        return _Term(key, columns, None, None, labels)
    values = np.array(numbers, dtype=float)
    axis = np.log(values) if logarithmic and values.min() > 0 else values
    low, high = np.quantile(axis, [_LOW, _HIGH])
    centre, spread = axis.mean(), axis.std()

    def place(points: _Array) -> _Array:
        scaled = (points - centre) / spread
        return np.stack([scaled**power for power in range(1, degree + 1)], axis=-1)

    ends = np.exp([low, high]) if axis is not values else np.array([low, high])
    shown = (f"{ends[0]:.3g}", f"{ends[1]:.3g}")
    return _Term(key, place(axis), place(np.array(low)), place(np.array(high)), shown)


def _fit(terms: Sequence[_Term], y: _Array, weights: _Array) -> _Array:
    """Returns the coefficients of all columns, for each row of `weights` (how often each trial counts) one set.

    Args:
        terms: The model; all columns together are k.
        y: [n], the measure.
        weights: [m, n].

    Returns:
        [m, k].
    """
    columns = np.concatenate([term.columns for term in terms], axis=1)
    total = weights.sum(axis=1, keepdims=True)
    means = weights @ columns / total
    centred = columns[None] - means[:, None]
    rest = y[None] - (weights @ y / total[:, 0])[:, None]
    normal = np.einsum("mn,mnk,mnl->mkl", weights, centred, centred)
    normal += _RIDGE * total[..., None] * np.eye(columns.shape[1])
    return np.linalg.solve(normal, np.einsum("mn,mnk,mn->mk", weights, centred, rest)[..., None])[..., 0]


def _left_out_error(terms: Sequence[_Term], y: _Array) -> float:
    """Returns the mean squared error of predicting each trial from all the others."""
    weights = 1 - np.eye(len(y))
    columns = np.concatenate([term.columns for term in terms], axis=1)
    coefficients = _fit(terms, y, weights)
    means = weights @ columns / (len(y) - 1)
    predicted = weights @ y / (len(y) - 1) + np.einsum("nk,nk->n", columns - means, coefficients)
    return float(np.mean((y - predicted) ** 2))


def _measure_influences(
    terms: Sequence[_Term], y: _Array, contrasts: Mapping[str, tuple[str, str]], seed: int
) -> list[Influence]:
    count = len(y)
    generator = np.random.default_rng(seed)
    resamples = generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES // 2).astype(float)
    coefficients = _fit(terms, y, np.concatenate([np.ones((1, count)), resamples]))
    variance, centred = float(np.var(y)), y - y.mean()
    influences, start = [], 0
    for term in terms:
        own = coefficients[:, start : start + term.columns.shape[1]]
        start += term.columns.shape[1]
        part = term.columns @ own[0]
        share = float(np.mean((part - part.mean()) * centred)) / variance
        if term.low is None or term.high is None:
            extremes = (term.labels[int(own[0].argmin())], term.labels[int(own[0].argmax())])
            between = contrasts.get(term.key, extremes)
            first, second = map(term.labels.index, between)
            changes = own[:, second] - own[:, first]
        else:
            changes, between = own @ (term.high - term.low), (term.labels[0], term.labels[1])
        low, high = np.quantile(changes[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        effect = Estimate(float(changes[0]), float(min(low, changes[0])), float(max(high, changes[0])), count)
        influences.append(Influence(term.key, min(1.0, max(0.0, share)), effect, between))
    return influences


def _to_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
