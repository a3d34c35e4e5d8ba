"""Which classes are taken for which."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps

from src.figures.sheet import LABEL_HEIGHT, SMALL_HEIGHT, Sheet, measure
from src.figures.style import FAINT_INK, INK, percent, shorten

#: Up to this many classes a cell shows its count and its share, up to the second number its count only.
FULL_CELLS, COUNTED_CELLS = 12, 30

#: Above this many classes only some have their names at the axes.
NAMED_CLASSES = 80

#: Between the cells and what is written beside them, and what the colour scale takes at the right.
GAP, BAR_ROOM = 8, 130


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


def plot_confusion_matrix(matrix: np.ndarray, class_names: Sequence[str], title: str) -> Sheet:
    """Draws counts, coloured by their share of the row: of the images that truly belong to the class.

    Args:
        matrix: Counts, `[classes, classes]`; rows are true classes, columns predicted ones.
        class_names: The classes in the matrix's order.
        title: Name of the network and the images.

    Returns:
        A sheet with the matrix and its colour scale.
    """
    num_classes = len(class_names)
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    cell = max(1, int(np.clip(64 * num_classes, 420, 1200) / num_classes))
    side = cell * num_classes
    shown = range(0, num_classes, -(-num_classes // NAMED_CLASSES))
    names = {index: shorten(class_names[index], 20) for index in shown}
    height = LABEL_HEIGHT if num_classes <= FULL_CELLS else SMALL_HEIGHT if num_classes <= COUNTED_CELLS else 10
    widest = max((measure(name, height) for name in names.values()), default=0.0)
    slope = 0 if widest < cell - 6 else 40 if num_classes <= COUNTED_CELLS else 90
    left = 26 + widest + GAP
    below = GAP + max(math.sin(math.radians(slope)) * widest, 0) + 18 + 26
    sheet = Sheet(left + side + BAR_ROOM, side + below, title, _summarize(matrix, class_names))

    sheet.place(left, 0, _colour_cells(shares, cell, 2 if num_classes <= FULL_CELLS else 1 if cell > 8 else 0))
    for index, name in names.items():
        middle = (index + 0.5) * cell
        sheet.write(left - GAP, middle, name, height=height, anchor="rm")
        if slope:
            anchor = "ma" if slope == 90 else "ra"
            sheet.write_slanted(
                left + middle + (6 if slope < 90 else 0), side + 5, name, slope, height=height, anchor=anchor
            )
        else:
            sheet.write(left + middle, side + GAP, name, height=height, anchor="ma")
    sheet.write_slanted(8, side / 2, "true class", 90, height=LABEL_HEIGHT, anchor="mm")
    sheet.write(left + side / 2, side + below, "predicted class", anchor="md")
    if num_classes <= COUNTED_CELLS:
        _write_counts(sheet, left, matrix, shares, cell)
    _draw_bar(sheet, left + side + 30, side)
    return sheet


def _colour_cells(shares: np.ndarray, cell: int, gap: int) -> np.ndarray:
    """Returns a picture in which each share is a square of one colour, with white lines between them."""
    pixels = _colour(shares).repeat(cell, axis=0).repeat(cell, axis=1)
    for offset in range(gap):
        pixels[offset::cell] = 255
        pixels[:, offset::cell] = 255
    return pixels


def _colour(shares: np.ndarray) -> np.ndarray:
    """Returns the colours of shares of one, uint8 with the channels last."""
    colours: np.ndarray = colormaps["Blues"](np.asarray(shares, float), bytes=True)
    return colours[..., :3]


def _write_counts(sheet: Sheet, left: float, matrix: np.ndarray, shares: np.ndarray, cell: int) -> None:
    """Writes into each cell its count and, where there are few classes, its share."""
    num_classes = len(matrix)
    full = num_classes <= FULL_CELLS
    for row, column in np.ndindex(matrix.shape):
        count, share = int(matrix[row, column]), float(shares[row, column])
        text = f"{count:,}"
        if full and count:
            text += f"\n{percent(share, 0 if num_classes > 4 else 1)}"
        sheet.write(
            left + (column + 0.5) * cell,
            (row + 0.5) * cell,
            text,
            height=LABEL_HEIGHT + 4 if num_classes <= 4 else SMALL_HEIGHT if full else 11,
            colour="white" if share > 0.55 else FAINT_INK if count == 0 else INK,
            anchor="mm",
        )


def _draw_bar(sheet: Sheet, left: float, side: int) -> None:
    """Draws the colour scale."""
    length, width = round(0.7 * side), 20
    top = (side - length) / 2
    scale = _colour(np.linspace(1, 0, length))[:, None]
    sheet.place(left, top, scale.repeat(width, axis=1))
    for share in (0, 20, 40, 60, 80, 100):
        height = top + length * (1 - share / 100)
        sheet.fill(left + width, height, 4, 1, FAINT_INK)
        sheet.write(left + width + 8, height, f"{share} %", height=SMALL_HEIGHT, colour=FAINT_INK)
    x = left + width + 70
    sheet.write_slanted(x, side / 2, "share of the true class's images", 90, height=SMALL_HEIGHT, anchor="mm")


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
