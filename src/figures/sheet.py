"""A picture put together from photographs, rectangles and texts.

It is drawn with Pillow, in a twentieth of the time that matplotlib takes for as many panels and texts: a search draws
such pictures hundreds of times. Lengths are in pixels. Content is placed from its own upper left corner, below the
heading; a sheet that has to be wider for its title has its content in the middle.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from src.figures.style import FAINT_INK, INK, shorten

#: Heights of letters; at 15 pixels the bold ones are drawn as if they had serifs.
TITLE_HEIGHT, LABEL_HEIGHT, SMALL_HEIGHT = 20.0, 16.0, 13.0

#: From one line of a height to the next.
LINE_SPACING = 1.35

#: White space around everything.
MARGIN = 12

_MAX_TITLE_LENGTH = 110


class Sheet:
    """A white sheet with a heading.

    Attributes:
        texts: Everything that is written on it, the title first.
        image: The picture itself.
    """

    def __init__(self, width: float, height: float, title: str, subtitle: str = "") -> None:
        """Makes a sheet whose content takes `width` and `height`.

        Args:
            width: Width of the content.
            height: Height of the content.
            title: The heading, in bold letters.
            subtitle: Lines in smaller letters below it.
        """
        self.texts: list[str] = []
        title = shorten(title, _MAX_TITLE_LENGTH)
        lines = subtitle.splitlines()
        widest = max([width, measure(title, TITLE_HEIGHT, bold=True), *(measure(line, LABEL_HEIGHT) for line in lines)])
        self._top = MARGIN + round(TITLE_HEIGHT * LINE_SPACING + len(lines) * LABEL_HEIGHT * LINE_SPACING) + MARGIN
        self.image = Image.new("RGB", (round(widest) + 2 * MARGIN, self._top + round(height) + MARGIN), "white")
        self._left = (self.image.width - round(width)) // 2
        self._draw = ImageDraw.Draw(self.image)
        centre, line_top = width / 2, MARGIN - self._top + TITLE_HEIGHT * LINE_SPACING / 2
        self.write(centre, line_top, title, height=TITLE_HEIGHT, bold=True, anchor="mm")
        for number, line in enumerate(lines):
            below = TITLE_HEIGHT * LINE_SPACING / 2 + LABEL_HEIGHT * LINE_SPACING * (number + 0.5)
            self.write(centre, line_top + below, line, colour=FAINT_INK, anchor="mm")

    def write(
        self,
        x: float,
        y: float,
        text: str,
        *,
        height: float = LABEL_HEIGHT,
        colour: str = INK,
        anchor: str = "lm",
        bold: bool = False,
    ) -> None:
        """Writes a text of one or more lines.

        Args:
            x: Where to.
            y: Where to.
            text: The text.
            height: Height of its letters.
            colour: Colour of its letters.
            anchor: What of the text lies there: `l`, `m` or `r` for its left end, middle or right end, then `a`, `m` or
                `d` for its top, middle or bottom.
            bold: Whether in bold letters.
        """
        self.texts.append(text)
        lines, spacing = text.splitlines(), height * LINE_SPACING
        top = y - {"a": 0.0, "m": 0.5, "d": 1.0}[anchor[1]] * len(lines) * spacing
        for number, line in enumerate(lines):
            # Centred by the height of capital letters and digits, whatever letters the line happens to have.
            baseline = top + (number + 0.5) * spacing + 0.36 * height
            place = (self._left + x, round(self._top + baseline))
            self._draw.text(place, line, fill=colour, font=load_font(height, bold), anchor=f"{anchor[0]}s")

    def write_slanted(self, x: float, y: float, text: str, angle: float, *, height: float, anchor: str) -> None:
        """Writes one line that climbs by an angle in degrees.

        Args:
            x: Where to.
            y: Where to.
            text: The text.
            angle: By how much it climbs.
            height: Height of its letters.
            anchor: What of the turned text's box lies there, as for `write`.
        """
        self.texts.append(text)
        size = (round(measure(text, height)) + 2, round(height * LINE_SPACING))
        mask = Image.new("L", size)
        ImageDraw.Draw(mask).text(
            (1, size[1] / 2 + 0.36 * height), text, fill=255, font=load_font(height, False), anchor="ls"
        )
        mask = mask.rotate(angle, Image.Resampling.BICUBIC, expand=True)
        left = {"l": 0, "m": mask.width / 2, "r": mask.width}[anchor[0]]
        above = {"a": 0, "m": mask.height / 2, "d": mask.height}[anchor[1]]
        self.image.paste(INK, (round(self._left + x - left), round(self._top + y - above)), mask)

    def fill(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """Fills a rectangle."""
        left, top = round(self._left + x), round(self._top + y)
        self._draw.rectangle((left, top, left + round(width) - 1, top + round(height) - 1), fill=colour)

    def place(self, x: float, y: float, pixels: np.ndarray) -> None:
        """Puts a picture, uint8 `[height, width, 3]`, with its upper left corner somewhere, pixel by pixel."""
        self.image.paste(Image.fromarray(np.ascontiguousarray(pixels)), (round(self._left + x), round(self._top + y)))


def measure(text: str, height: float = LABEL_HEIGHT, *, bold: bool = False) -> float:
    """Returns the width of a text of one line."""
    return load_font(height, bold).getlength(text)


@lru_cache(maxsize=32)
def load_font(height: float, bold: bool) -> ImageFont.FreeTypeFont:
    """Returns the letters that matplotlib's pictures have too."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
    # Without its shaping engine, which other machines may lack, Pillow draws the same everywhere.
    return ImageFont.truetype(str(path), height, layout_engine=ImageFont.Layout.BASIC)
