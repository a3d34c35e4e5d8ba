"""One split of a data set: which of its images it holds, and their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.data.paging import request_rows


@dataclass(frozen=True, eq=False)
class Split:
    """Some images of a data set, by position; the pixels stay in the shared, memory-mapped cache until loaded.

    The order is a fixed shuffle, so that any slice of a split mixes the classes. Features, which a backbone has made of
    the images, can stand for them.

    Attributes:
        name: `train`, `train_eval`, `val` or `test`.
        images: uint8 [N, size, size, 3], the images of the whole data set, read-only and shared by all splits; or the
            features of each, floats [N, width].
        indices: int64 [n], positions of this split's images in `images`.
        labels: int32 [n], class numbers of this split's images.
    """

    name: str
    images: NDArray[Any]
    indices: NDArray[np.int64]
    labels: NDArray[np.int32]

    def __len__(self) -> int:
        """Returns the number of images in the split."""
        return len(self.indices)

    def load(self, positions: NDArray[np.integer[Any]] | slice | None = None) -> NDArray[Any]:
        """Copies images of the split into memory.

        Args:
            positions: Positions within the split, not within the data set; all of them if None.

        Returns:
            uint8 [k, size, size, 3], RGB; or the features of the images, floats [k, width].
        """
        chosen = self.indices if positions is None else self.indices[positions]
        request_rows(self.images, chosen)
        return np.asarray(self.images)[chosen]


def unite(splits: Sequence[Split]) -> Split:
    """Returns a split of all images that are in any of these splits of one data set, by position, each once."""
    indices = np.concatenate([split.indices for split in splits])
    labels = np.concatenate([split.labels for split in splits])
    positions, first = np.unique(indices, return_index=True)
    return Split("all", splits[0].images, positions, labels[first])
