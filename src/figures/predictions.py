"""The images on which a network is most confidently wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from src.figures.style import BEST_COLOUR, FAINT_INK, LABEL_SIZE, SMALL_SIZE, VAL_COLOUR, new_figure, percent, shorten
from src.figures.tiles import draw_tile

COLUMNS = 4


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
) -> Figure:
    """Draws wrongly predicted images with their true class, the predicted one and how sure the network was.

    Args:
        images: uint8 `[images, height, width, 3]`; with none, the figure says that there is no wrong prediction.
        labels: True classes, integers `[images]`.
        probabilities: Predicted probabilities, `[images, classes]`.
        class_names: The classes by number.
        title: Name of the network and the images.
        file_names: Where each image comes from, if it is to be said.

    Returns:
        A figure with one panel per image.
    """
    if not len(images):
        figure = new_figure(7, 2.2, title)
        axes = figure.subplots()
        axes.axis("off")
        axes.text(0.5, 0.5, "No image is predicted wrongly.", ha="center", va="center", fontsize=LABEL_SIZE + 2)
        return figure
    columns = min(COLUMNS, len(images))
    rows = -(-len(images) // columns)
    height = 3.35 if file_names else 3.15
    figure = new_figure(
        max(2.7 * columns, 6.5), height * rows + 0.7, title, "in brackets how probable the network held each class"
    )
    for index, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.axis("off")
        if index >= len(images):
            continue
        draw_tile(axes, images[index])
        label, prediction = int(labels[index]), int(probabilities[index].argmax())
        captions = [
            (f"true: {_describe(class_names, probabilities, index, label)}", BEST_COLOUR, LABEL_SIZE),
            (f"predicted: {_describe(class_names, probabilities, index, prediction)}", VAL_COLOUR, LABEL_SIZE),
        ]
        if file_names:
            captions.append((shorten(file_names[index], 34), FAINT_INK, SMALL_SIZE - 1))
        for line, (text, colour, size) in enumerate(captions):
            # Below the picture, a line of 14 points each.
            axes.annotate(
                text,
                (0.5, 0),
                xycoords="axes fraction",
                xytext=(0, -4 - 14 * line),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=size,
                color=colour,
                parse_math=False,
            )
    return figure


def _describe(class_names: Sequence[str], probabilities: np.ndarray, index: int, label: int) -> str:
    """Returns a class's name and the probability that the network gave it."""
    return f"{shorten(class_names[label], 18)} ({percent(float(probabilities[index, label]))})"
