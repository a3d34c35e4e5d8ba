"""What one training measured, epoch by epoch."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Iterable
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class EpochMetrics:
    """The measurements of one epoch; the field names are the metric keys under which they are tracked.

    Attributes:
        epoch: Number of the epoch, from 1.
        train_accuracy: Keras's running average over the epoch's training steps: dropout on, augmented images, weights
            still changing. It lies below the other two accuracies and hides overfitting.
        train_loss: The same average of the loss.
        train_eval_accuracy: Accuracy on a fixed slice of the training images, measured as validation is.
        train_eval_loss: Loss on that slice.
        val_accuracy: Accuracy on the validation images.
        val_loss: Loss on the validation images.
        learning_rate: Learning rate of the epoch's last step.
        epoch_seconds: Wall time of the epoch's training steps, without the evaluations.
    """

    epoch: int
    train_accuracy: float
    train_loss: float
    train_eval_accuracy: float
    train_eval_loss: float
    val_accuracy: float
    val_loss: float
    learning_rate: float
    epoch_seconds: float

    @property
    def gap_accuracy(self) -> float:
        """The clean generalization gap: train_eval accuracy minus validation accuracy."""
        return self.train_eval_accuracy - self.val_accuracy

    @property
    def gap_loss(self) -> float:
        """The clean gap in loss: validation loss minus train_eval loss."""
        return self.val_loss - self.train_eval_loss

    def metrics(self) -> dict[str, float]:
        """Returns everything that is tracked for the epoch, by metric key."""
        measured = {key: value for key, value in dataclasses.asdict(self).items() if key != "epoch"}
        return {**measured, "gap_accuracy": self.gap_accuracy, "gap_loss": self.gap_loss}


#: The metric keys of one epoch, in the order in which they are written to `history.csv`.
EPOCH_METRICS = (
    *(field.name for field in dataclasses.fields(EpochMetrics) if field.name != "epoch"),
    "gap_accuracy",
    "gap_loss",
)


@dataclasses.dataclass(frozen=True)
class History:
    """The epochs of one training, in order."""

    epochs: tuple[EpochMetrics, ...] = ()

    def __len__(self) -> int:
        return len(self.epochs)

    def series(self, key: str) -> list[float]:
        """Returns one metric over all epochs, for example `val_loss`."""
        return [float(getattr(epoch, key)) for epoch in self.epochs]

    def best(self) -> EpochMetrics:
        """Returns the epoch with the highest validation accuracy; of equals the one with the lower validation loss.

        A loss that is no number is worse than any other.

        Raises:
            ValueError: There is no epoch.
        """
        if not self.epochs:
            raise ValueError("A history without epochs has no best epoch.")
        return max(self.epochs, key=lambda epoch: (epoch.val_accuracy, not math.isnan(epoch.val_loss), -epoch.val_loss))

    def with_epoch(self, epoch: EpochMetrics) -> History:
        """Returns a history that ends with one more epoch."""
        return History((*self.epochs, epoch))

    def write_csv(self, path: Path) -> None:
        """Writes one line per epoch: the epoch, then `EPOCH_METRICS`."""
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["epoch", *EPOCH_METRICS])
            for epoch in self.epochs:
                metrics = epoch.metrics()
                writer.writerow([epoch.epoch, *(repr(metrics[key]) for key in EPOCH_METRICS)])

    @classmethod
    def from_rows(cls, rows: Iterable[dict[str, float]]) -> History:
        """Builds a history from mappings that hold at least the fields of `EpochMetrics`."""
        names = [field.name for field in dataclasses.fields(EpochMetrics) if field.name != "epoch"]
        epochs = [EpochMetrics(int(row["epoch"]), *(float(row[name]) for name in names)) for row in rows]
        return cls(tuple(sorted(epochs, key=lambda epoch: epoch.epoch)))
