"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from src.figures.style import FAINT_INK, INK, LABEL_SIZE, SMALL_SIZE, new_figure, percent, shorten

#: Up to this many classes a cell shows its count and its share, up to the second number its count only.
FULL_CELLS, COUNTED_CELLS = 12, 30

#: Above this many classes only some have their names at the axes.
NAMED_CLASSES = 80


def compute_confusion_matrix(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts how often an image of the class of a row was predicted to be of the class of a column.

    Args:
        labels: True classes, integers `[images]`.
        predictions: Predicted classes, integers `[images]`.
        num_classes: Number of classes.

    Returns:
        int64 `[num_classes, num_classes]`.
    """
    pairs = np.asarray(labels, np.int64) * num_classes + np.asarray(predictions, np.int64)
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def find_confusions(matrix: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Returns the pairs (true class, predicted class) most often confused, the most frequent first."""
    wrong = np.array(matrix)
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:count]
    rows, columns = np.unravel_index(order, wrong.shape)
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True) if wrong[row, column] > 0]


def plot_confusion_matrix(matrix: np.ndarray, class_names: Sequence[str], title: str) -> Figure:
    """Draws counts, coloured by their share of the row: of the images that truly belong to the class.

    Args:
        matrix: Counts, `[classes, classes]`; rows are true classes, columns predicted ones.
        class_names: The classes in the matrix's order.
        title: Name of the network and the images.

    Returns:
        A figure with the matrix and its colour scale.
    """
    num_classes = len(class_names)
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    side = float(np.clip(0.62 * num_classes, 4.2, 12))
    figure = new_figure(side + 2.4, side + 1.8, title, _summarize(matrix, class_names))
    axes = figure.subplots()
    picture = axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100)
    bar = figure.colorbar(picture, ax=axes, shrink=0.7, format="%d %%")
    bar.set_label("share of the true class's images", fontsize=SMALL_SIZE, color=INK)
    bar.ax.tick_params(labelsize=SMALL_SIZE, colors=FAINT_INK)
    bar.outline.set_visible(False)

    step = -(-num_classes // NAMED_CLASSES)
    ticks = range(0, num_classes, step)
    names = [shorten(class_names[index], 20) for index in ticks]
    size = LABEL_SIZE if num_classes <= FULL_CELLS else SMALL_SIZE if num_classes <= COUNTED_CELLS else 6.5
    crowded = num_classes > COUNTED_CELLS or max(map(len, names), default=0) > 6
    axes.set_xticks(
        ticks,
        names,
        rotation=90 if num_classes > COUNTED_CELLS else 40 if crowded and num_classes > 2 else 0,
        ha="right" if crowded and 2 < num_classes <= COUNTED_CELLS else "center",
        rotation_mode="anchor" if crowded and 2 < num_classes <= COUNTED_CELLS else "default",
        fontsize=size,
        parse_math=False,
    )
    axes.set_yticks(ticks, names, fontsize=size, parse_math=False)
    axes.set_xlabel("predicted class", fontsize=LABEL_SIZE, color=INK)
    axes.set_ylabel("true class", fontsize=LABEL_SIZE, color=INK)
    axes.set_xticks(np.arange(num_classes + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(num_classes + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5 if num_classes <= FULL_CELLS else 0.4)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)

    if num_classes <= COUNTED_CELLS:
        for row, column in np.ndindex(matrix.shape):
            text = f"{matrix[row, column]:,}"
            if num_classes <= FULL_CELLS and matrix[row, column]:
                text += f"\n{percent(shares[row, column], 0 if num_classes > 4 else 1)}"
            axes.text(
                column,
                row,
                text,
                ha="center",
                va="center",
                fontsize=LABEL_SIZE + 3 if num_classes <= 4 else SMALL_SIZE if num_classes <= FULL_CELLS else 7,
                color="white" if shares[row, column] > 0.55 else FAINT_INK if matrix[row, column] == 0 else INK,
            )
    return figure


def _summarize(matrix: np.ndarray, class_names: Sequence[str]) -> str:
    """Returns the accuracy and, with more than two classes, the most frequent confusion, in words."""
    total = int(matrix.sum())
    if not total:
        return "no image"
    correct = int(np.trace(matrix))
    summary = f"{correct:,} of {total:,} right ({percent(correct / total)})"
    confusions = find_confusions(matrix, 1) if len(class_names) > 2 else []
    for row, column in confusions:
        true, predicted = shorten(class_names[row], 20), shorten(class_names[column], 20)
        summary += f"\nmost often: {true} taken for {predicted}, {matrix[row, column]:,} of {matrix[row].sum():,}"
    return summary
