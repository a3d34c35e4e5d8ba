"""Smooth lines, areas and rings on a rectangle of pixels, drawn by matplotlib's renderer without any of its artists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgba
from matplotlib.path import Path
from matplotlib.transforms import IdentityTransform
from numpy.typing import NDArray

#: What places can be given as.
Numbers = Sequence[float] | np.ndarray

#: Beyond this many pixels from the corner there is nothing to be seen, and the renderer's numbers end.
_FAR = 30_000


class Canvas:
    """A white rectangle; places are in pixels from its lower left corner, and what lies outside is cut off."""

    def __init__(self, width: int, height: int) -> None:
        """Makes an empty canvas."""
        self.width, self.height = width, height
        # So many dots per inch that widths, which are in points, are in pixels.
        self._renderer: Any = RendererAgg(width, height, 72)  # type: ignore[no-untyped-call]
        self.draw_area([0, width], [0, 0], [height, height], "white")

    def draw_line(
        self, xs: Numbers, ys: Numbers, colour: str, width: float, dashes: Sequence[float] | None = None
    ) -> None:
        """Draws a line through points; it is interrupted where one is not a number."""
        self._stroke(Path(_clip(xs, ys)), colour, width, dashes)

    def draw_area(self, xs: Numbers, lower: Numbers, upper: Numbers, colour: str, alpha: float = 1.0) -> None:
        """Fills what lies between two lines over the same places, both of numbers only."""
        self._fill(Path(np.concatenate([_clip(xs, lower), _clip(xs, upper)[::-1]])), colour, alpha)

    def draw_dots(self, xs: Numbers, ys: Numbers, radius: float, colour: str) -> None:
        """Draws a filled circle at each place that is one."""
        for x, y in _clip(xs, ys):
            if np.isfinite(x + y):
                self._fill(Path.circle((x, y), radius), colour)

    def draw_ring(self, x: float, y: float, radius: float, colour: str, width: float) -> None:
        """Draws a circle."""
        self._stroke(Path.circle((x, y), radius), colour, width)

    def pixels(self) -> NDArray[np.uint8]:
        """Returns what was drawn, uint8 `[height, width, 3]`."""
        pixels: NDArray[np.uint8] = np.asarray(self._renderer.buffer_rgba())
        return pixels[:, :, :3]

    def _stroke(self, path: Path, colour: str, width: float, dashes: Sequence[float] | None = None) -> None:
        context = self._renderer.new_gc()
        context.set_foreground(colour)
        context.set_linewidth(width)
        context.set_joinstyle("round")
        context.set_capstyle("butt" if dashes else "projecting")
        context.set_dashes(0, dashes)
        self._renderer.draw_path(context, path, IdentityTransform(), None)

    def _fill(self, path: Path, colour: str, alpha: float = 1.0) -> None:
        context = self._renderer.new_gc()
        context.set_linewidth(0)
        self._renderer.draw_path(context, path, IdentityTransform(), to_rgba(colour, alpha))


def _clip(xs: Numbers, ys: Numbers) -> np.ndarray:
    points = np.column_stack([np.asarray(xs, float), np.asarray(ys, float)])
    return np.asarray(np.clip(points, -_FAR, _FAR))
