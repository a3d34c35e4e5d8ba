"""Batches of raw images, or of their features, from the shared cache to the network's door.

They are gathered from memory-mapped arrays by NumPy, so a data set need not fit into memory, and images travel as
uint8, a quarter of their size as floats. A thread gathers the next batches while the last ones are computed. tf.data
has no part in it: its autotune can wait out a back-off of seconds, with all cores idle, whenever a pass ends, and a
call per step through it costs as much as a small step itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from src.data.split import Split

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class StepBatches:
    """The batches of some training steps in a row, all of one size.

    Attributes:
        first: Number of the first of these steps within its epoch, from 0.
        inputs: Images or features as the split loads them, `[steps, batch, …]`.
        labels: As `encode_labels` gives them, `[steps, batch, …]`.
    """

    first: int
    inputs: NDArray[Any]
    labels: NDArray[Any]

    def __len__(self) -> int:
        """Returns the number of steps."""
        return len(self.inputs)


def count_steps(split: Split, batch_size: int) -> int:
    """Returns how many batches hold all images of a split, the last one perhaps smaller."""
    return math.ceil(len(split) / batch_size)


def order_images(num_images: int, *, epoch: int, seed: int, num_views: int = 1) -> NDArray[np.int64]:
    """Returns the order in which an epoch sees the images, which depends on `seed` and the epoch alone.

    Args:
        num_images: How many there are.
        epoch: Number of the epoch, from 0.
        seed: The run's seed.
        num_views: Views of each image: first one of every image, then the next of every image, and so on. An epoch has
            each image in one view, drawn by `seed` and the epoch too.

    Returns:
        int64 [num_images], positions among all views.
    """
    generator = np.random.default_rng((seed, epoch))
    order = generator.permutation(num_images)
    if num_views > 1:
        order += num_images * generator.integers(num_views, size=num_images)
    return order


def load_steps(
    split: Split, order: NDArray[np.int64], *, batch_size: int, head: str, choose_steps: Callable[[], int]
) -> Iterator[StepBatches]:
    """Yields the batches of an epoch, of several steps at a time.

    Args:
        split: What to train on.
        order: What `order_images` returned.
        batch_size: Images per step; the last step of the epoch may have fewer, and then comes by itself.
        head: The head of the network.
        choose_steps: Says each time how many steps to load at most; at least 1.
    """
    step, whole_steps = 0, len(order) // batch_size
    while step * batch_size < len(order):
        count = min(choose_steps(), whole_steps - step) if step < whole_steps else 1
        positions = order[step * batch_size : (step + count) * batch_size]
        inputs, labels = split.load(positions), encode_labels(split.labels[positions], head)
        size = len(positions) // count
        yield StepBatches(
            step, inputs.reshape(count, size, *inputs.shape[1:]), labels.reshape(count, size, *labels.shape[1:])
        )
        step += count


def load_batches(split: Split, batch_size: int) -> Iterator[NDArray[Any]]:
    """Yields the images or features of one pass over a split, in its own order."""
    for start in range(0, len(split), batch_size):
        yield split.load(slice(start, start + batch_size))


def load_ahead(batches: Iterator[T]) -> Iterator[T]:
    """Yields what an iterator yields, whose next item a thread fetches while the last one is in use."""
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="fitgap-input") as thread:
        ahead = thread.submit(next, batches, end)
        while (item := ahead.result()) is not end:
            ahead = thread.submit(next, batches, end)
            yield item  # type: ignore[misc]


def encode_labels(labels: NDArray[np.int32], head: str) -> NDArray[Any]:
    """Returns class numbers as the head's loss wants them: int32 `[n]`, or float32 `[n, 1]` for a sigmoid."""
    return labels.astype(np.float32)[:, None] if head == "sigmoid" else labels.astype(np.int32)
