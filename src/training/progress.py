"""What a training tells those who follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from src.history import EpochMetrics, History


@dataclass(frozen=True)
class Step:
    """Where a training stands within an epoch: numbers from 1, metrics as running averages over the epoch."""

    epoch: int
    step: int
    num_steps: int
    loss: float
    accuracy: float


class TrainingObserver(Protocol):
    """Whoever wants to follow a training, such as a console, a tracker or a pruner."""

    def on_resume(self, history: History) -> None:
        """Is told before the first step of a training that goes on from a checkpoint, which epochs it has behind it."""

    def on_step(self, step: Step) -> None:
        """Is told after every training step; must return at once."""

    def on_epoch(self, epoch: EpochMetrics) -> None:
        """Is told after every epoch, once it has been measured."""

    def should_stop(self, history: History) -> bool:
        """Is asked after every epoch whether the training shall end here."""
        ...
