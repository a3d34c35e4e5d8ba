"""Estimates with the uncertainty that their number of observations bears, and no less."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

#: Share of intervals that hold the true value, if the observations are what they are taken for.
CONFIDENCE = 0.95
#: Resamples of a bootstrap.
RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A mean and the interval in which it lies.

    Attributes:
        mean: The mean of the observations.
        low: Lower end of the interval; None where a single observation bears none.
        high: Upper end.
        count: Observations.
    """

    mean: float
    low: float | None
    high: float | None
    count: int

    @property
    def has_interval(self) -> bool:
        """Whether there are enough observations for an interval."""
        return self.low is not None and self.high is not None

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero: the data show which way the difference goes."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def estimate_mean(observations: Sequence[float], *, seed: int = 0) -> Estimate:
    """Returns the mean of independent observations with an interval for it.

    The interval is the hull of two: Student's t interval, and a bootstrap whose percentiles are widened for few
    observations (Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69, 2015,
    section 5: the expanded percentile interval). Plain bootstrap percentiles of three seeds promise far too much, since
    no resample leaves the range of the three; Student's t does not see that few observations are skewed. The wider of
    the two at each end never shows more certainty than the number of seeds bears. The same observations give the same
    interval.

    Args:
        observations: At least one number; they are finite.
        seed: Seed of the resampling.

    Raises:
        ValueError: There is no observation, or one is not finite.
    """
    values = [float(value) for value in observations]
    if not values or not all(map(math.isfinite, values)):
        raise ValueError(f"A mean needs at least one observation, all of them finite; got {values}.")
    mean = statistics.fmean(values)
    count = len(values)
    if count == 1:
        return Estimate(mean, None, None, 1)
    margin = stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1) * statistics.stdev(values) / math.sqrt(count)
    low, high = _expanded_percentiles(np.asarray(values), seed)
    return Estimate(mean, float(min(low, mean - margin)), float(max(high, mean + margin)), count)


def _expanded_percentiles(values: np.ndarray, seed: int) -> tuple[float, float]:
    """Returns the bootstrap interval of the mean, its percentiles moved outwards as Hesterberg advises."""
    count = len(values)
    generator = np.random.default_rng(seed)
    means = values[generator.integers(0, count, (RESAMPLES, count))].mean(axis=1)
    widened = math.sqrt(count / (count - 1)) * stats.t.ppf((1 - CONFIDENCE) / 2, count - 1)
    tail = stats.norm.cdf(widened)
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
