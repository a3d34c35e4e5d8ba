"""The program that one training leaves to the next one of its shape in the same process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import keras

from src.config.run import RunConfig
from src.data.dataset import ImageDataset
from src.runtime import release_frozen
from src.training.program import TrainingProgram


class ProgramKeeper:
    """Keeps the last program, for trainings that run one after the other.

    A training must be over, and what is wanted of its network saved, before the next one obtains a program.
    """

    def __init__(self) -> None:
        """Keeps none yet."""
        self._shape: str | None = None
        self._pretrained = False
        self._program: TrainingProgram | None = None

    def release_unless(self, shape: str) -> None:
        """Lets go of a program of another shape, whose memory the next training may need."""
        if shape != self._shape:
            self.discard()

    def discard(self) -> None:
        """Lets go of the program: after an error nobody knows in which state it is."""
        if self._program is not None:
            self._shape = self._program = None
            release_frozen()

    def obtain(
        self, shape: str, network: keras.Model, *, pretrained: bool, build: Callable[[], TrainingProgram]
    ) -> TrainingProgram:
        """Returns the kept program, started anew with the network's weights, if it is of that shape; else a new one.

        Args:
            shape: What `describe_shape` returned.
            network: The new network.
            pretrained: Whether its weights were; what became of `model.weights=auto` is no part of the shape.
            build: Makes a program around the new network.
        """
        self.release_unless(shape)
        if self._program is None or self._pretrained != pretrained or not self._program.fits(network):
            self.discard()
            self._shape, self._pretrained, self._program = shape, pretrained, build()
        else:
            self._program.restart(network)
        return self._program


def describe_shape(config: RunConfig, dataset: ImageDataset, precision: str) -> str:
    """Returns all of a training's configuration that is part of its program, rather than a value given to that.

    A rate or a strength of 0 is part of it: the network has no dropout layers then, and images are not warped.
    """
    model = replace(config.model, name="", dropout=float(config.model.dropout > 0))
    augmentation = replace(config.augmentation, name="", strength=float(config.augmentation.strength > 0))
    optimizer = replace(config.optimizer, name="", learning_rate=1.0, schedule="constant", warmup_epochs=0.0, alpha=0.0)
    trainer = config.trainer
    computing = (precision, trainer.deterministic, trainer.features, trainer.feature_views)
    return repr((model, augmentation, optimizer, dataset.image_size, dataset.num_classes, computing))
