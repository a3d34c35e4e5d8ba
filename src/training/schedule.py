"""The learning rate of every step, known before the first one is taken."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from src.config.optimizer import OptimizerConfig


class LearningRate:
    """A warm-up from 0 to the peak, then the peak for good, or half a cosine from it down to a fraction of it.

    Step by step it is what Keras's `CosineDecay` gives. It is computed here, for many steps at a time, so that a
    training step that is compiled once can be given any.
    """

    def __init__(self, config: OptimizerConfig, *, epochs: int, steps_per_epoch: int) -> None:
        """Lays the schedule of a configuration over so many epochs."""
        self._peak = config.learning_rate
        self._warmup_steps = math.ceil(config.warmup_epochs * steps_per_epoch)
        self._decay_steps = max(1, epochs * steps_per_epoch - self._warmup_steps)
        # A cosine that decays to the whole of its peak is a constant.
        self._alpha = config.alpha if config.schedule == "cosine" else 1.0

    def at(self, steps: NDArray[np.integer]) -> NDArray[np.float32]:
        """Returns the learning rates of steps, the first of which is number 0."""
        decayed = np.clip((steps - self._warmup_steps) / self._decay_steps, 0, 1)
        cosine = self._alpha + (1 - self._alpha) * (1 + np.cos(np.pi * decayed)) / 2
        warmed = np.minimum(steps / self._warmup_steps, 1) if self._warmup_steps else 1.0
        return np.asarray(self._peak * warmed * cosine, np.float32)
