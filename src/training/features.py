"""Features of a frozen backbone: computed once per data set and backbone, and shared by all trainings of a head.

A frozen backbone makes the same of an image in every epoch, in every evaluation and in every trial. Where images are
not augmented, a head that is trained on what was computed once learns what it would learn behind the backbone, but for
the last digits: those depend on how many images pass through the backbone at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.augmentation import RandomWarp
from src.config.augmentation import AugmentationConfig
from src.config.model import TransferConfig
from src.config.run import RunConfig
from src.data.dataset import ImageDataset
from src.data.features import open_features
from src.data.progress import report_progress
from src.data.split import Split, unite
from src.errors import StorageError
from src.models.build import Network
from src.models.transfer import CutNetwork, cut_network
from src.models.weights import digest_weights
from src.runtime import gpu_name
from src.training.inference import can_compile, compile_inference
from src.training.pipeline import load_ahead, load_batches

#: Images that pass through the backbone at a time; whoever computes features must get the same, so it is no option.
BATCH_SIZE = 64


@dataclass(frozen=True)
class FeaturePlan:
    """Whether a training computes features ahead.

    Attributes:
        kind: `cached` for the features of the images as they are, `views` for those of augmented views of them, or
            `in_the_loop` where the network computes all from pixels in every step; logged as `features`.
        num_views: Augmented views of each training image.
        fallback_reason: Why the views that were asked for cannot be had; None if they can, or were not asked for.
    """

    kind: str
    num_views: int = 0
    fallback_reason: str | None = None


@dataclass(frozen=True, eq=False)
class Features:
    """What a frozen backbone makes of a data set's images, and the head that is trained on it.

    Attributes:
        head: From features to logits; shares its layers with the whole network.
        positions: int64 [n], sorted, of all images in any split; a row of `rows` each.
        rows: [n, width], the features of these images, memory-mapped.
        views: [views * train, width], the features of augmented training images, memory-mapped: first one view of every
            image, then the next of every image; None where images are not augmented.
    """

    head: keras.Model
    positions: NDArray[np.int64]
    rows: NDArray[Any]
    views: NDArray[Any] | None = None

    def take(self, split: Split) -> Split:
        """Returns a split of the data set with features in place of its images."""
        return Split(split.name, self.rows, np.searchsorted(self.positions, split.indices), split.labels)

    def view(self, train: Split) -> Split:
        """Returns the training split with the features of all views in place of its images; the views in a row."""
        if self.views is None:
            return self.take(train)
        labels = np.tile(train.labels, len(self.views) // len(train))
        return Split(train.name, self.views, np.arange(len(labels)), labels)


def plan_features(config: RunConfig, network: Network) -> FeaturePlan:
    """Decides whether a training computes features ahead, now that it is known which weights there are."""
    trainer = config.trainer
    if not network.frozen_backbone:
        if trainer.feature_views == 0:
            return FeaturePlan("in_the_loop")
        # Values that contradict each other have been refused: only weights that could not be had lead here.
        return FeaturePlan(
            "in_the_loop",
            fallback_reason=(
                f"trainer.feature_views={trainer.feature_views} has no effect: the backbone starts from "
                f"{network.weights.source} weights and is trained as a whole, so that its features change with every "
                "step. Images are augmented anew in every epoch instead."
            ),
        )
    if trainer.features == "in_the_loop":
        return FeaturePlan("in_the_loop")
    if config.augmentation.strength == 0:
        return FeaturePlan("cached")
    return FeaturePlan("views", trainer.feature_views) if trainer.feature_views else FeaturePlan("in_the_loop")


def prepare_features(
    config: RunConfig, dataset: ImageDataset, network: Network, plan: FeaturePlan, *, precision: str
) -> Features | None:
    """Opens the features that a plan asks for, and computes them first where the cache does not hold them.

    Of several processes that ask at once, one computes and the others wait. It takes the memory of a few batches.

    Returns:
        The features; None where the plan is to go without.

    Raises:
        StorageError: The cache folder cannot be written to.
    """
    if plan.kind == "in_the_loop":
        return None
    cut = cut_network(network.model)
    images = unite([dataset.train, dataset.train_eval, dataset.val, dataset.test])
    shelf = _Shelf(config, dataset, cut, _describe_extractor(config, dataset, cut.extractor, precision))
    rows = shelf.open(images)
    views = shelf.open(dataset.train, plan.num_views) if plan.kind == "views" else None
    return Features(cut.head, images.indices, rows, views)


@dataclass(frozen=True, eq=False)
class _Shelf:
    """The features of one data set and one backbone on disk."""

    config: RunConfig
    dataset: ImageDataset
    cut: CutNetwork
    extractor: dict[str, object]

    def open(self, split: Split, num_views: int = 0) -> NDArray[Any]:
        """Opens or computes the features of a split's images: as they are, or of so many augmented views of each."""
        augmentation = asdict(self.config.augmentation) if num_views else None
        if augmentation is not None:
            del augmentation["name"]  # A label.
        identity = {
            "images": self.dataset.images_digest,
            "positions": hashlib.sha256(split.indices.astype("<i8").tobytes()).hexdigest(),
            "extractor": self.extractor,
            "views": num_views,
            "augmentation": augmentation,
        }
        output = self.cut.extractor.output
        try:
            return open_features(
                str(self.extractor["backbone"]),
                identity,
                self.config.dataset.cache_dir,
                shape=(max(num_views, 1) * len(split), int(output.shape[-1])),
                dtype=np.dtype(tf.as_dtype(output.dtype).as_numpy_dtype),
                compute=partial(self._compute, split, num_views),
            )
        except StorageError as error:
            raise StorageError(f"{error} Or compute no features ahead, with trainer.features=in_the_loop.") from error

    def _compute(self, split: Split, num_views: int) -> Iterator[NDArray[Any]]:
        views = f" of {num_views} augmented views" if num_views else ""
        task, total = f"Computing {self.extractor['backbone']}'s features{views}", max(num_views, 1) * len(split)
        with report_progress(task, total, "images") as advance:
            for rows in compute_features(self.cut.extractor, split, self.config.augmentation, num_views):
                yield rows
                advance(len(rows))


def compute_features(
    extractor: keras.Model, split: Split, augmentation: AugmentationConfig, num_views: int
) -> Iterator[NDArray[Any]]:
    """Yields the features of a split's images in its order, batch by batch: as they are, or of augmented views of each.

    The seed of a batch's warps is the number of the view and that of the batch, so that views are the same whatever the
    seed of the run, and trials share them.

    Args:
        extractor: From float32 pixels to features.
        split: The images.
        augmentation: How views are warped.
        num_views: Number of views; the first view of every image comes first. 0 for the images as they are.
    """
    warp = RandomWarp(augmentation) if num_views else None
    dtype = "uint8" if warp is None else "float32"
    # Where a training step is compiled by XLA, so is this, to be rounded alike.
    infer = compile_inference(extractor, dtype, jit_compile=can_compile(extractor))
    for view in range(max(num_views, 1)):
        for number, images in enumerate(load_ahead(load_batches(split, BATCH_SIZE))):
            yield np.asarray(infer(images if warp is None else warp(images, tf.constant([view, number]))))


def _describe_extractor(
    config: RunConfig, dataset: ImageDataset, extractor: keras.Model, precision: str
) -> dict[str, object]:
    """Returns all that decides what the backbone makes of an image."""
    model = config.model
    assert isinstance(model, TransferConfig)
    return {
        "backbone": model.backbone,
        "weights": digest_weights(extractor),
        "image_size": dataset.image_size,
        "scaling": model.scaling,
        "pooling": model.pooling,
        "precision": precision,
        # Another device or another Keras rounds differently.
        "device": gpu_name() or "cpu",
        "keras": keras.__version__,
    }
