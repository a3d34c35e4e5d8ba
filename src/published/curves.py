"""The published curves: every epoch that the recipes' authors printed."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from src.errors import ConfigError

_CURVES = Path(__file__).with_name("curves.csv")
_FIGURES = Path(__file__).with_name("figures.csv")

#: Recipes whose author had trained the network once already: their first epoch is no fresh start.
CONTINUED = frozenset({"E1"})


@dataclass(frozen=True)
class PublishedEpoch:
    """One printed epoch.

    Attributes:
        epoch: Number of the epoch, from 1.
        train_accuracy: Keras's running average over the epoch's training steps: dropout on, augmented images, weights
            still changing. It compares to a run's `train_accuracy`, and to no `train_eval_accuracy`.
        train_loss: The same average of the loss.
        val_accuracy: Accuracy on the validation images.
        val_loss: Loss on the validation images.
    """

    epoch: int
    train_accuracy: float
    train_loss: float
    val_accuracy: float
    val_loss: float


@dataclass(frozen=True)
class PublishedRecipe:
    """What the author of a recipe printed of one training.

    Attributes:
        recipe: The recipe's name, such as `A1`.
        epochs: Its epochs, in order and without a hole.
        num_params: Weights in the network; None where they were not printed.
        num_trainable_params: Weights that training changes; None where they were not printed.
        test_accuracy: Accuracy on the test images after the last epoch; None where it was not printed.
    """

    recipe: str
    epochs: tuple[PublishedEpoch, ...]
    num_params: int | None = None
    num_trainable_params: int | None = None
    test_accuracy: float | None = None

    def __len__(self) -> int:
        return len(self.epochs)

    def series(self, key: str) -> list[float]:
        """Returns one metric over all epochs, for example `val_loss`."""
        return [float(getattr(epoch, key)) for epoch in self.epochs]

    @property
    def final(self) -> PublishedEpoch:
        """The last epoch."""
        return self.epochs[-1]

    @property
    def best(self) -> PublishedEpoch:
        """The epoch with the highest validation accuracy; of equals the first."""
        return max(self.epochs, key=lambda epoch: epoch.val_accuracy)

    @property
    def is_fresh_start(self) -> bool:
        """Whether the first epoch started from fresh weights."""
        return self.recipe not in CONTINUED


def list_recipes() -> tuple[str, ...]:
    """Returns the names of all published recipes, from A1 to E4."""
    return tuple(_read_curves())


def load_published(recipe: str) -> PublishedRecipe:
    """Returns what was printed of a recipe.

    Raises:
        ConfigError: There is no recipe of that name.
    """
    curves = _read_curves()
    if recipe not in curves:
        raise ConfigError(f"There is no recipe {recipe!r}. The published ones are {', '.join(curves)}.")
    figures = next((row for row in _read_rows(_FIGURES) if row["recipe"] == recipe), {})
    return PublishedRecipe(
        recipe,
        curves[recipe],
        num_params=int(figures.get("num_params") or 0) or None,
        num_trainable_params=int(figures.get("num_trainable_params") or 0) or None,
        test_accuracy=float(figures.get("test_accuracy") or 0) or None,
    )


@cache
def _read_curves() -> dict[str, tuple[PublishedEpoch, ...]]:
    curves: dict[str, list[PublishedEpoch]] = {}
    keys = ("train_accuracy", "train_loss", "val_accuracy", "val_loss")
    for row in _read_rows(_CURVES):
        curves.setdefault(row["recipe"], []).append(
            PublishedEpoch(int(row["epoch"]), *(float(row[key]) for key in keys))
        )
    return {recipe: tuple(epochs) for recipe, epochs in curves.items()}


def _read_rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)
