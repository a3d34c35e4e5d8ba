"""What the images look like, before and after augmentation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from src.figures.sheet import SMALL_HEIGHT, Sheet, measure
from src.figures.style import FAINT_INK, TRAIN_COLOUR, shorten
from src.figures.tiles import cut_tile, measure_tile

#: Classes and pictures of each in the preview of a data set; columns in that of an augmentation.
MAX_CLASSES, MAX_IMAGES, COLUMNS = 20, 8, 5

#: Side of a picture where there are few classes, and where there are more than `FEW_CLASSES`.
LARGE_SIDE, SIDE, FEW_CLASSES = 140, 100, 5

#: Side of a picture in the preview of an augmentation.
VARIANT_SIDE = 200

#: Between two pictures.
GAP = 10


def plot_dataset_preview(images_by_class: Mapping[str, np.ndarray], counts: Mapping[str, int], title: str) -> Sheet:
    """Draws a row of pictures per class, with the class's name and number of images.

    Args:
        images_by_class: By class name a few images, uint8 `[images, height, width, 3]`.
        counts: By class name the number of images that there are.
        title: Name of the data set.

    Returns:
        A sheet with at most `MAX_CLASSES` rows of at most `MAX_IMAGES` pictures.
    """
    shown = {name: images_by_class[name][:MAX_IMAGES] for name in list(images_by_class)[:MAX_CLASSES]}
    hidden = len(images_by_class) - len(shown)
    subtitle = f"the first {len(shown)} classes; {hidden} more are not shown" if hidden else ""
    if not shown:
        sheet = Sheet(400, 60, title)
        sheet.write(200, 30, "no class", colour=FAINT_INK, anchor="mm")
        return sheet
    labels = {name: shorten(name, 22) + (f"\n{counts[name]:,} images" if name in counts else "") for name in shown}
    room = LARGE_SIDE if len(shown) <= FEW_CLASSES else SIDE
    side = max(measure_tile(images, room) for images in shown.values())
    left = max(measure(line) for label in labels.values() for line in label.splitlines()) + GAP
    columns = max(map(len, shown.values()))
    sheet = Sheet(left + columns * (side + GAP) - GAP, len(shown) * (side + GAP) - GAP, title, subtitle)
    for row, (name, images) in enumerate(shown.items()):
        top = row * (side + GAP)
        sheet.write(left - GAP, top + side / 2, labels[name], anchor="rm")
        for column, image in enumerate(images):
            sheet.place(left + column * (side + GAP), top, cut_tile(image, side))
    return sheet


def plot_augmentation_preview(original: np.ndarray, augmented: np.ndarray, title: str) -> Sheet:
    """Draws an image and what augmentation makes of it.

    Args:
        original: uint8 `[height, width, 3]`.
        augmented: Variants of it, uint8 or float in 0..255, `[variants, height, width, 3]`.
        title: Name of the augmentation.

    Returns:
        A sheet with the original first.
    """
    pictures = [original, *augmented]
    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    side = measure_tile(original, VARIANT_SIDE)
    across, down = side + GAP, side + GAP + 22
    sheet = Sheet(columns * across - GAP, rows * down - GAP, title, "one training image and random variants of it")
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        left, top = column * across, row * down + 22
        if index == 0:
            # A frame around the picture, so that it hides none of it.
            sheet.fill(left - 4, top - 4, side + 8, side + 8, TRAIN_COLOUR)
        sheet.place(left, top, cut_tile(picture, side))
        sheet.write(
            left + side / 2,
            top - 13,
            f"variant {index}" if index else "original",
            height=SMALL_HEIGHT,
            colour=FAINT_INK if index else TRAIN_COLOUR,
            anchor="mm",
            bold=not index,
        )
    return sheet
