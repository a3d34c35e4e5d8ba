"""What a training reads: images, through the whole network; or a frozen backbone's features, through the head alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras

from src.config.augmentation import AugmentationConfig
from src.data.dataset import ImageDataset
from src.data.split import Split
from src.models.build import Network
from src.training.features import Features


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a training reads, and the network that reads it.

    Attributes:
        network: From what the splits hold to logits; its trainable weights are those of the whole network.
        train: What to train on: `num_views` views of each training image, as `order_images` wants them.
        num_views: Number of views of each training image.
        augmentation: How training batches are warped on their way; None for not at all.
        read: Gives the split to measure for a split of the data set.
    """

    network: keras.Model
    train: Split
    num_views: int
    augmentation: AugmentationConfig | None
    read: Callable[[Split], Split]

    @property
    def dtype(self) -> str:
        """Type of what the splits hold."""
        return str(self.train.images.dtype)


def read_images(dataset: ImageDataset, network: Network, augmentation: AugmentationConfig) -> Inputs:
    """Returns the images themselves, warped anew in every epoch."""
    return Inputs(network.model, dataset.train, 1, augmentation, lambda split: split)


def read_features(dataset: ImageDataset, features: Features) -> Inputs:
    """Returns the features of the images, for the head that is trained on them."""
    train = features.view(dataset.train)
    return Inputs(features.head, train, len(train) // len(dataset.train), None, features.take)
