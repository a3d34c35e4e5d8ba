"""What became of one recipe: our trainings beside the published one."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from src.history import EpochMetrics, History
from src.published.curves import PublishedEpoch, PublishedRecipe
from src.tracking.records import RunRecord

#: A mean below the published accuracy by more than so many standard deviations over the seeds is marked.
DEVIATIONS = 2.0


@dataclass(frozen=True)
class Spread:
    """One figure over several seeds.

    Attributes:
        mean: Its mean.
        deviation: Its standard deviation over the seeds; None with a single seed, which has none.
    """

    mean: float
    deviation: float | None

    @classmethod
    def over(cls, values: Sequence[float]) -> Spread:
        """Summarizes at least one value."""
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)


@dataclass(frozen=True)
class RecipeResult:
    """A recipe's published training, and ours.

    Attributes:
        published: What was published.
        epochs: For how long ours were trained.
        records: Our runs, one for each seed that has finished.
        reason: Why there is none, or not one for every seed; None where all are there.
    """

    published: PublishedRecipe
    epochs: int
    records: tuple[RunRecord, ...]
    reason: str | None = None

    @property
    def histories(self) -> tuple[History, ...]:
        """The epochs of our runs."""
        return tuple(record.history for record in self.records)

    @property
    def seeds(self) -> tuple[str, ...]:
        """The seeds of our runs."""
        return tuple(record.params.get("seed", "?") for record in self.records)

    @property
    def is_shortened(self) -> bool:
        """Whether ours were trained for fewer epochs than the published one."""
        return self.epochs < len(self.published)

    @property
    def counterpart(self) -> PublishedEpoch:
        """The published epoch that has had as much training as the last of ours."""
        return self.published.epochs[self.epochs - 1]

    @property
    def final(self) -> Spread:
        """Validation accuracy after our last epoch."""
        return Spread.over([history.epochs[-1].val_accuracy for history in self.histories])

    @property
    def bests(self) -> tuple[EpochMetrics, ...]:
        """The best epoch of each of our runs."""
        return tuple(history.best() for history in self.histories)

    @property
    def best(self) -> Spread:
        """Validation accuracy at the best epoch of each run."""
        return Spread.over([epoch.val_accuracy for epoch in self.bests])

    @property
    def published_best(self) -> PublishedEpoch:
        """The best of the published epochs that ours have had too."""
        return max(self.published.epochs[: self.epochs], key=lambda epoch: epoch.val_accuracy)

    @property
    def difference(self) -> float:
        """By how much ours exceeds the published accuracy after as many epochs."""
        return self.final.mean - self.counterpart.val_accuracy

    @property
    def falls_short(self) -> bool | None:
        """Whether ours lies below the published accuracy by more than the seeds explain; None with a single seed."""
        deviation = self.final.deviation
        return None if deviation is None else self.difference < -DEVIATIONS * deviation

    @property
    def test(self) -> Spread | None:
        """Accuracy on the test images; None where a run has none."""
        values = [record.metrics["test_accuracy"] for record in self.records if "test_accuracy" in record.metrics]
        return Spread.over(values) if values else None

    def average_last(self, key: str) -> float:
        """Returns the mean over our runs of a metric of the last epoch."""
        return statistics.fmean(getattr(history.epochs[-1], key) for history in self.histories)
