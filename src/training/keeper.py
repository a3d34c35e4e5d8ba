"""The program that one training leaves to the next one of its shape in the same process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import keras

from src.config.run import RunConfig
from src.training.program import TrainingProgram


class ProgramKeeper:
    """Keeps the last program, for trainings that run one after the other.

    A training must be over, and what is wanted of its network saved, before the next one obtains a program.
    """

    def __init__(self) -> None:
        """Keeps none yet."""
        self._shape: str | None = None
        self._program: TrainingProgram | None = None

    def release_unless(self, shape: str) -> None:
        """Lets go of a program of another shape, whose memory the next training may need."""
        if shape != self._shape:
            self.discard()

    def discard(self) -> None:
        """Lets go of the program: after an error nobody knows in which state it is."""
        self._shape = self._program = None

    def obtain(self, shape: str, network: keras.Model, build: Callable[[], TrainingProgram]) -> TrainingProgram:
        """Returns the kept program, started anew with the network's weights, if it is of that shape; else a new one.

        Args:
            shape: What `describe_shape` returned.
            network: The new network.
            build: Makes a program around the new network.
        """
        self.release_unless(shape)
        if self._program is None or not self._program.fits(network):
            self._shape, self._program = shape, build()
        else:
            self._program.restart(network)
        return self._program


def describe_shape(config: RunConfig, *, image_size: int, num_classes: int, precision: str) -> str:
    """Returns all of a training's configuration that is part of its program, rather than a value given to that.

    A rate or a strength of 0 is part of it: the network has no dropout layers then, and images are not warped.
    """
    model = replace(config.model, name="", dropout=float(config.model.dropout > 0))
    augmentation = replace(config.augmentation, name="", strength=float(config.augmentation.strength > 0))
    optimizer = replace(config.optimizer, name="", learning_rate=1.0, schedule="constant", warmup_epochs=0.0, alpha=0.0)
    trainer = config.trainer
    features = (trainer.features, trainer.feature_views)
    return repr((model, augmentation, optimizer, image_size, num_classes, precision, trainer.deterministic, features))
