"""One photograph as a square of pixels."""

from __future__ import annotations

import numpy as np
from PIL import Image

#: Pictures with fewer pixels a side keep their pixels visible as squares; larger ones are smoothed.
SMALL_PICTURE = 64


def measure_tile(images: np.ndarray, side: int) -> int:
    """Returns the side of the tiles that fit best into a space: small pictures are enlarged by a whole number.

    Args:
        images: `[images, height, width, 3]`, or one of them.
        side: The space, which the tiles never exceed but by the size of a picture of less than `SMALL_PICTURE` pixels.
    """
    largest = max(images.shape[-3:-1])
    return largest * max(1, side // largest) if largest < SMALL_PICTURE else side


def cut_tile(image: np.ndarray, side: int) -> np.ndarray:
    """Returns an image, `[height, width, 3]` with values in 0..255 of any type, as uint8 `[side, side, 3]`.

    One that is not square has white beside it.
    """
    pixels: np.ndarray = np.clip(np.rint(np.nan_to_num(image)), 0, 255).astype(np.uint8)
    largest = max(pixels.shape[:2])
    if largest < SMALL_PICTURE and side % largest == 0:
        pixels = pixels.repeat(side // largest, axis=0).repeat(side // largest, axis=1)
    elif largest != side:
        size = [max(1, round(length * side / largest)) for length in pixels.shape[1::-1]]
        picture = Image.fromarray(pixels).resize((size[0], size[1]), Image.Resampling.LANCZOS)
        pixels = np.asarray(picture)
    if pixels.shape[0] == pixels.shape[1]:
        return pixels
    tile = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - pixels.shape[0]) // 2, (side - pixels.shape[1]) // 2
    tile[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return tile
