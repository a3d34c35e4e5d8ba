"""Drawing disjoint parts of a pool of labelled images, each with the pool's own class proportions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def stratify(labels: NDArray[np.int32], sizes: Mapping[str, int], seed: Sequence[int]) -> dict[str, NDArray[np.int64]]:
    """Draws disjoint stratified parts of a pool, with `numpy.random.default_rng(seed)`.

    Each class is put into a random order that depends on the seed and on the class's size alone. The last part named
    takes from the end of that order and the others from its start: a larger last part holds the smaller one and does
    not depend on the other sizes (up to the one image per class by which proportions are rounded).

    Args:
        labels: int32 [n], class numbers of the pool's images.
        sizes: Number of images of each part, at most n together.
        seed: Non-negative integers that seed the generator.

    Returns:
        For each part int64 [size], positions in the pool, in random order. In each part the number of images of each
        class is its exact proportional share, rounded up or down.
    """
    generator = np.random.default_rng(list(seed))
    classes, class_counts = np.unique(labels, return_counts=True)
    table = apportion(class_counts, list(sizes.values()))
    drawn: dict[str, list[NDArray[np.int64]]] = {name: [] for name in sizes}
    for class_number, shares in zip(classes, table, strict=True):
        order = generator.permutation(np.flatnonzero(labels == class_number))
        start = 0
        for name, share in zip([*sizes][:-1], shares[:-1], strict=True):
            drawn[name].append(order[start : start + share])
            start += share
        drawn[[*sizes][-1]].append(order[len(order) - shares[-1] :])
    return {
        name: generator.permutation(np.concatenate([np.empty(0, np.int64), *parts])) for name, parts in drawn.items()
    }


def apportion(class_counts: Sequence[int] | NDArray[np.int64], sizes: Sequence[int]) -> NDArray[np.int64]:
    """Rounds the proportional share of each class in each part to a whole number, up or down.

    Rounding part after part would let the errors add up in the last part. Here the shares are rounded all at once as a
    table whose row sums (a class has so many images) and column sums (a part has such a size) are exact; such a
    rounding always exists, because the exact shares themselves are a flow with these sums.

    Args:
        class_counts: [c], number of images of each class.
        sizes: [p], size of each part, at most the number of images together.

    Returns:
        int64 [c, p], images of each class in each part.
    """
    rows = np.asarray(class_counts, dtype=np.int64)
    total = int(rows.sum())
    if sum(sizes) > total:
        raise ValueError(f"Parts of {sum(sizes)} images cannot be drawn from {total}.")
    if total == 0:
        return np.zeros((len(rows), len(sizes)), dtype=np.int64)
    # The images that go to no part are one more column.
    columns = np.asarray([*sizes, total - sum(sizes)], dtype=np.int64)
    shares, fractions = np.divmod(np.outer(rows, columns), total)
    row_room, column_room = rows - shares.sum(axis=1), columns - shares.sum(axis=0)
    rounded_up = np.zeros(shares.shape, dtype=bool)
    # The largest fractions are rounded up first; what that leaves open is mended by moving earlier choices.
    for cell in np.argsort(-fractions, axis=None, kind="stable"):
        row, column = divmod(int(cell), len(columns))
        if fractions[row, column] and row_room[row] and column_room[column]:
            rounded_up[row, column] = True
            row_room[row] -= 1
            column_room[column] -= 1
    for open_row in np.repeat(np.arange(len(rows)), row_room):
        found = _round_up_one(int(open_row), rounded_up, fractions > 0, column_room, set())
        assert found, "A table of shares with exact sums can always be rounded."
    return (shares + rounded_up)[:, :-1]


def _round_up_one(
    row: int,
    rounded_up: NDArray[np.bool_],
    fractional: NDArray[np.bool_],
    column_room: NDArray[np.int64],
    visited: set[int],
) -> bool:
    """Rounds up one more cell of a row, if need be by moving a full column's choice to another column of its row."""
    for column in map(int, np.flatnonzero(fractional[row] & ~rounded_up[row])):
        if column in visited:
            continue
        visited.add(column)
        if column_room[column]:
            column_room[column] -= 1
            rounded_up[row, column] = True
            return True
        for holder in map(int, np.flatnonzero(rounded_up[:, column])):
            if _round_up_one(holder, rounded_up, fractional, column_room, visited):
                rounded_up[holder, column] = False
                rounded_up[row, column] = True
                return True
    return False
