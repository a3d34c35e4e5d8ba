"""Made-up histories whose diagnosis is known."""

from __future__ import annotations

from collections.abc import Sequence

from src.history import EpochMetrics, History


def make_history(
    val_loss: Sequence[float],
    *,
    val_accuracy: Sequence[float] | float = 0.8,
    train_loss: Sequence[float] | float = 0.4,
    train_accuracy: Sequence[float] | float = 0.82,
    first_epoch: int = 1,
) -> History:
    """Makes up a history; a single number stands for every epoch. Training figures are the clean ones."""
    count = len(val_loss)

    def spread(values: Sequence[float] | float) -> list[float]:
        return [float(values)] * count if isinstance(values, int | float) else [float(value) for value in values]

    columns = zip(val_loss, spread(val_accuracy), spread(train_loss), spread(train_accuracy), strict=True)
    return History(
        tuple(
            EpochMetrics(
                epoch=epoch,
                train_accuracy=0.5,
                train_loss=0.9,
                train_eval_accuracy=train_right,
                train_eval_loss=train_lost,
                val_accuracy=val_right,
                val_loss=val_lost,
                learning_rate=1e-3,
                epoch_seconds=1.0,
            )
            for epoch, (val_lost, val_right, train_lost, train_right) in enumerate(columns, start=first_epoch)
        )
    )
