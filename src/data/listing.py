"""The images of a data set before they are decoded, and decoding all of them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.data.decoding import BadImageError
from src.data.progress import report_progress

# Images that are decoded ahead of the one that is written, which bounds the memory that waits.
_AHEAD = 256


@dataclass(frozen=True, eq=False)
class ImageListing:
    """The images that are to be decoded.

    Attributes:
        names: A name per image.
        labels: int32 [n], class numbers.
        decode: Gives the image at a position as uint8 [size, size, 3], or raises `BadImageError`; called by threads.
    """

    names: tuple[str, ...]
    labels: NDArray[np.int32]
    decode: Callable[[int], NDArray[np.uint8]]


def decode_all(listing: ImageListing, task: str) -> Iterator[tuple[int, NDArray[np.uint8] | BadImageError]]:
    """Yields each position and its image, in order, or the reason why there is none; reports progress on stderr."""

    def decode(position: int) -> NDArray[np.uint8] | BadImageError:
        try:
            return listing.decode(position)
        except BadImageError as error:
            return error

    count = len(listing.names)
    # Threads are enough: Pillow lets go of Python's lock while it decodes and resizes.
    workers = min(32, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool, report_progress(task, count, "images") as advance:
        # One goes in as one comes out, so that no thread is idle while the caller writes.
        pending = deque(pool.submit(decode, position) for position in range(min(_AHEAD, count)))
        try:
            for position in range(count):
                image = pending.popleft().result()
                if position + _AHEAD < count:
                    pending.append(pool.submit(decode, position + _AHEAD))
                advance(1)
                yield position, image
        finally:
            # Who was interrupted does not wait for those that nobody has begun.
            pool.shutdown(wait=False, cancel_futures=True)
