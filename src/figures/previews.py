"""What the images look like, before and after augmentation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from src.figures.style import FAINT_INK, INK, LABEL_SIZE, SMALL_SIZE, TRAIN_COLOUR, new_figure, shorten
from src.figures.tiles import draw_tile

#: Classes and pictures of each in the preview of a data set; columns in that of an augmentation.
MAX_CLASSES, MAX_IMAGES, COLUMNS = 20, 8, 5


def plot_dataset_preview(images_by_class: Mapping[str, np.ndarray], counts: Mapping[str, int], title: str) -> Figure:
    """Draws a row of pictures per class, with the class's name and number of images.

    Args:
        images_by_class: By class name a few images, uint8 `[images, height, width, 3]`.
        counts: By class name the number of images that there are.
        title: Name of the data set.

    Returns:
        A figure with at most `MAX_CLASSES` rows of at most `MAX_IMAGES` pictures.
    """
    shown = list(images_by_class)[:MAX_CLASSES]
    hidden = len(images_by_class) - len(shown)
    columns = max([1, *(min(len(images_by_class[name]), MAX_IMAGES) for name in shown)])
    side = 1.25 if len(shown) <= 5 else 0.95
    subtitle = f"the first {len(shown)} classes; {hidden} more are not shown" if hidden else ""
    figure = new_figure(side * columns + 2.2, side * max(len(shown), 1) + 0.8, title, subtitle)
    grid = figure.subplots(max(len(shown), 1), columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    if not shown:
        grid[0, 0].text(0.5, 0.5, "no class", ha="center", va="center", color=FAINT_INK)
    for row, name in zip(grid, shown, strict=False):
        for axes, image in zip(row, images_by_class[name], strict=False):
            draw_tile(axes, image)
        row[0].annotate(
            shorten(name, 22) + (f"\n{counts[name]:,} images" if name in counts else ""),
            (0, 0.5),
            xycoords="axes fraction",
            xytext=(-8, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=LABEL_SIZE,
            color=INK,
            parse_math=False,
        )
    return figure


def plot_augmentation_preview(original: np.ndarray, augmented: np.ndarray, title: str) -> Figure:
    """Draws an image and what augmentation makes of it.

    Args:
        original: uint8 `[height, width, 3]`.
        augmented: Variants of it, uint8 or float in 0..255, `[variants, height, width, 3]`.
        title: Name of the augmentation.

    Returns:
        A figure with one panel per picture, the original first.
    """
    pictures = [original, *augmented]
    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    figure = new_figure(
        max(2.1 * columns, 4.5), 2.3 * rows + 0.7, title, "one training image and random variants of it"
    )
    for index, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        if index >= len(pictures):
            axes.axis("off")
            continue
        draw_tile(axes, pictures[index])
        axes.set_title("original" if index == 0 else f"variant {index}", fontsize=SMALL_SIZE, color=FAINT_INK)
        if index == 0:
            axes.set_title("original", fontsize=SMALL_SIZE, color=TRAIN_COLOUR, fontweight="bold")
            axes.spines[:].set(visible=True, color=TRAIN_COLOUR, linewidth=3)
    return figure
