"""What was measured of one candidate, and what follows from it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.measurement import Ratio, ratio
from benchmarks.peers.candidate import Candidate, Trial


@dataclass(frozen=True)
class Measurement:
    """One search by one candidate.

    Attributes:
        seconds: From its command's start to its end.
        largest_mb: Highest resident memory of any one process.
        total_mb: Highest resident memory of all its processes at one time.
        trials: Its trials, in the order in which they ended.
    """

    seconds: float
    largest_mb: float
    total_mb: float
    trials: tuple[Trial, ...]

    @property
    def seconds_per_later_trial(self) -> float:
        """Seconds from one trial's end to the next one's, on average, without what only the first one waits for."""
        if len(self.trials) < 2:
            return math.nan
        return (self.trials[-1].ended - self.trials[0].ended) / (len(self.trials) - 1)


@dataclass
class Result:
    """All that was measured of one candidate.

    Attributes:
        candidate: Who.
        versions: Versions of Python and packages in its environment.
        rounds: All its searches but the first, which was short and made caches and databases.
        missing: Why there are none, where there are none.
    """

    candidate: Candidate
    versions: dict[str, str] = field(default_factory=dict)
    rounds: list[Measurement] = field(default_factory=list)
    missing: str | None = None

    def median(self, figure: str) -> float:
        """Returns the median of a figure over all rounds."""
        return float(statistics.median(getattr(measurement, figure) for measurement in self.rounds))

    def times(self, ours: Result, figure: str = "seconds") -> Ratio:
        """Returns how many times ours this figure is, round by round."""
        first, second = ([getattr(entry, figure) for entry in result.rounds] for result in (self, ours))
        return ratio(first, second)

    def best_accuracies(self) -> list[float]:
        """Returns what each round's search came to: the best validation accuracy of all its points."""
        return [max(trial.best_val_accuracy for trial in measurement.trials) for measurement in self.rounds]

    def mean_accuracies(self) -> list[float]:
        """Returns the mean over the points of each round."""
        return [
            statistics.fmean(trial.best_val_accuracy for trial in measurement.trials) for measurement in self.rounds
        ]


@dataclass(frozen=True)
class Difference:
    """Mean of paired differences and twice its standard error, which is not a number where there is one pair."""

    mean: float
    noise: float

    @property
    def is_worse(self) -> bool:
        """Whether the mean is below zero by more than twice its standard error."""
        return self.mean < -self.noise

    def __str__(self) -> str:
        """Returns for example `+0.0012 ±0.0034`."""
        return f"{self.mean:+.4f}" + ("" if math.isnan(self.noise) else f" ±{self.noise:.4f}")


def compare(a: Sequence[float], b: Sequence[float]) -> Difference:
    """Returns how much higher `a` is than `b`, round by round: each round has a seed of its own."""
    differences = [ours - theirs for ours, theirs in zip(a, b, strict=True)]
    return Difference(statistics.fmean(differences), _double_error(differences))


def _double_error(values: Sequence[float]) -> float:
    return 2 * statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
