"""Batches of raw images, or of their features, from the shared cache to the network's door.

tf.data's autotune is off on every pipeline: with it, tearing down an iterator can wait out a back-off of seconds while
all cores are idle. Batches are gathered from memory-mapped arrays by NumPy, so a data set need not fit into memory, and
images travel as uint8, a quarter of their size as floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from src.data.split import Split

#: Batches made ready ahead of the one that is computed.
PREFETCHED_BATCHES = 2

Batch = tuple[np.ndarray, np.ndarray]


def count_steps(split: Split, batch_size: int) -> int:
    """Returns how many batches hold all images of a split, the last one perhaps smaller."""
    return math.ceil(len(split) / batch_size)


def build_training_batches(
    split: Split, *, batch_size: int, epochs: int, seed: int, head: str, num_views: int = 1
) -> tf.data.Dataset:
    """Builds the batches of all epochs in a row, each epoch in an order that depends on `seed` and the epoch alone.

    Args:
        split: What to train on.
        batch_size: Images per batch.
        epochs: Number of epochs.
        seed: The run's seed.
        head: The head of the network.
        num_views: Views of each image in the split: first one of every image, then the next of every image, and so on.
            An epoch has each image in one view, drawn by `seed` and the epoch too.

    Yields:
        Images or features as the split loads them, and labels as `encode_labels` gives them.
    """
    num_images = len(split) // num_views

    def batches() -> Iterator[Batch]:
        for epoch in range(epochs):
            generator = np.random.default_rng((seed, epoch))
            order = generator.permutation(num_images)
            if num_views > 1:
                order += num_images * generator.integers(num_views, size=num_images)
            for start in range(0, len(order), batch_size):
                positions = order[start : start + batch_size]
                yield split.load(positions), encode_labels(split.labels[positions], head)

    return _to_tensorflow(batches, split, head)


def build_evaluation_batches(split: Split, *, batch_size: int, head: str) -> tf.data.Dataset:
    """Builds the batches of one pass over a split, in its own order.

    Yields:
        Images or features as the split loads them, and labels as `encode_labels` gives them.
    """

    def batches() -> Iterator[Batch]:
        for start in range(0, len(split), batch_size):
            positions = slice(start, start + batch_size)
            yield split.load(positions), encode_labels(split.labels[positions], head)

    # Without a count, Keras takes the end of the pass for an interruption and warns.
    count = tf.data.experimental.assert_cardinality(count_steps(split, batch_size))
    return _to_tensorflow(batches, split, head).apply(count)


def encode_labels(labels: np.ndarray, head: str) -> np.ndarray:
    """Returns class numbers as the head's loss wants them: int32 `[n]`, or float32 `[n, 1]` for a sigmoid."""
    return labels.astype(np.float32)[:, None] if head == "sigmoid" else labels.astype(np.int32)


def _to_tensorflow(batches: Callable[[], Iterator[Batch]], split: Split, head: str) -> tf.data.Dataset:
    labels = tf.TensorSpec((None, 1), tf.float32) if head == "sigmoid" else tf.TensorSpec((None,), tf.int32)
    inputs = tf.TensorSpec((None, *split.images.shape[1:]), split.images.dtype)
    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = tf.data.Dataset.from_generator(batches, output_signature=(inputs, labels))
    return dataset.prefetch(PREFETCHED_BATCHES).with_options(options)
