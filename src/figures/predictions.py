"""The images on which a network is most confidently wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from src.figures.sheet import LABEL_HEIGHT, LINE_SPACING, SMALL_HEIGHT, Sheet, measure
from src.figures.style import BEST_COLOUR, FAINT_INK, VAL_COLOUR, percent, shorten
from src.figures.tiles import cut_tile, measure_tile

COLUMNS = 4

#: Side of an image, and white space between two of them.
SIDE, GAP = 224, 12


def find_worst(labels: np.ndarray, probabilities: np.ndarray, count: int) -> np.ndarray:
    """Finds the wrongly predicted images with the highest loss: the least probability for their true class.

    Args:
        labels: True classes, integers `[images]`.
        probabilities: Predicted probabilities, `[images, classes]`.
        count: How many to find at most.

    Returns:
        Indices of images, the highest loss first; empty if no image is predicted wrongly.
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    # A probability that is not a number is as wrong as can be.
    of_true_class = np.nan_to_num(probabilities[wrong, labels[wrong]], nan=-1.0)
    return wrong[np.argsort(of_true_class, kind="stable")[:count]]


def plot_worst_predictions(
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    title: str,
    file_names: Sequence[str] | None = None,
) -> Sheet:
    """Draws wrongly predicted images with their true class, the predicted one and how sure the network was.

    Args:
        images: uint8 `[images, height, width, 3]`; with none, the sheet says that there is no wrong prediction.
        labels: True classes, integers `[images]`.
        probabilities: Predicted probabilities, `[images, classes]`.
        class_names: The classes by number.
        title: Name of the network and the images.
        file_names: Where each image comes from, if it is to be said.

    Returns:
        A sheet with all images.
    """
    if not len(images):
        sheet = Sheet(400, 60, title)
        sheet.write(200, 30, "No image is predicted wrongly.", anchor="mm")
        return sheet
    side = measure_tile(images, SIDE)
    captions = [
        _describe(class_names, row, int(label), file_names[index] if file_names else None)
        for index, (row, label) in enumerate(zip(probabilities, labels, strict=True))
    ]
    widest = max(measure(text, height) for caption in captions for text, height, _ in caption)
    across = max(side, widest) + GAP
    down = side + sum(height * LINE_SPACING for _, height, _ in captions[0]) + 2 * GAP
    columns = min(COLUMNS, len(images))
    rows = -(-len(images) // columns)
    subtitle = "in brackets how probable the network held each class"
    sheet = Sheet(columns * across - GAP, rows * down - 2 * GAP, title, subtitle)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        centre, top = column * across + (across - GAP) / 2, row * down
        sheet.place(centre - side / 2, top, cut_tile(image, side))
        top += side + 3
        for text, height, colour in captions[index]:
            sheet.write(centre, top, text, height=height, colour=colour, anchor="ma")
            top += height * LINE_SPACING
    return sheet


def _describe(
    class_names: Sequence[str], probabilities: np.ndarray, label: int, file_name: str | None
) -> list[tuple[str, float, str]]:
    """Returns what stands below an image: lines, each with the height of its letters and their colour."""
    lines = [
        (f"{word}: {shorten(class_names[index], 18)} ({percent(float(probabilities[index]))})", LABEL_HEIGHT, colour)
        for word, index, colour in (
            ("true", label, BEST_COLOUR),
            ("predicted", int(probabilities.argmax()), VAL_COLOUR),
        )
    ]
    return lines if file_name is None else [*lines, (shorten(file_name, 34), SMALL_HEIGHT, FAINT_INK)]
