"""One photograph in a panel of its own."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

#: Pictures with fewer pixels a side keep their pixels visible as squares; larger ones are smoothed.
SMALL_PICTURE = 64


def draw_tile(axes: Axes, image: np.ndarray) -> None:
    """Draws one image, `[height, width, 3]` with values in 0..255 of any type, without ticks and frame."""
    pixels = np.clip(np.rint(np.nan_to_num(image)), 0, 255).astype(np.uint8)
    axes.imshow(pixels, interpolation="nearest" if max(pixels.shape[:2]) < SMALL_PICTURE else "antialiased")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
