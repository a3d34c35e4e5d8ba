"""Panels of training curves on a sheet: train_eval and val over the epochs, with the gap between them shaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from src.figures.canvas import Canvas, Numbers
from src.figures.scales import Scale, find_best, find_epoch_ticks, find_ticks
from src.figures.sheet import LINE_SPACING, SMALL_HEIGHT, Sheet, measure
from src.figures.style import BEST_COLOUR, FAINT_INK, GRID_COLOUR, INK, RUNNING_COLOUR, TRAIN_COLOUR, VAL_COLOUR
from src.history import History


@dataclass(frozen=True)
class Look:
    """How a line looks."""

    colour: str
    width: float
    dashes: tuple[float, ...] | None = None


#: The lines by their labels; `gap` is an area and `best` a ring.
LOOKS = {
    "train_eval": Look(TRAIN_COLOUR, 2.6),
    "val": Look(VAL_COLOUR, 2.6),
    "gap": Look(VAL_COLOUR, 0),
    "running": Look(RUNNING_COLOUR, 1.6, (5, 3)),
    "best": Look(BEST_COLOUR, 3),
    "overfit": Look(INK, 1.6, (6, 3)),
    "running_mean": Look(RUNNING_COLOUR, 2.6),
    "published_val": Look(VAL_COLOUR, 1.6, (2, 2)),
    "published_running": Look(RUNNING_COLOUR, 1.6, (2, 2)),
}
GAP_OPACITY = 0.14
RING_RADIUS = 7

#: From one line of the legend to the next, and between its columns.
LEGEND_LINE, LEGEND_GAP = 24, 30


@dataclass(frozen=True)
class Note:
    """A text in a panel.

    Attributes:
        text: The text.
        x: Where it is, as a share of the panel's width from its left.
        y: Where it is, as a share of the panel's height from its top.
        anchor: What of it lies there, as for `Sheet.write`.
        colour: Colour of its letters.
        frame: Colour of a frame around it, if there is one.
    """

    text: str
    x: float
    y: float
    anchor: str = "mm"
    colour: str = INK
    frame: str | None = None


class Panel:
    """One pair of axes on a sheet.

    Attributes:
        lines: What was drawn, by label: epochs and values.
        notes: What is to be written in the panel.
        scale: The vertical axis.
        last_epoch: The last epoch that the horizontal axis shows.
    """

    def __init__(
        self, sheet: Sheet, place: tuple[float, float], size: tuple[int, int], scale: Scale, last_epoch: int
    ) -> None:
        """Makes an empty panel; use `Chart.add_panel` instead."""
        self.lines: dict[str, tuple[list[float], list[float]]] = {}
        self.notes: list[Note] = []
        self.scale = scale
        self.last_epoch = last_epoch
        self._sheet = sheet
        self._left, self._top = place
        self._canvas = Canvas(*size)
        margin = 0.5 if last_epoch <= 3 else 0.02 * last_epoch
        # There is no epoch 0 that the axis could show.
        self._horizontal = Scale(1 - min(margin, 0.9), max(last_epoch, 1) + margin)
        self._ticks: dict[float, str] = {}

    def draw_grid(self, *, percent: bool) -> None:
        """Draws a faint line at each round number; to be called before anything else is drawn."""
        self._ticks = find_ticks(self.scale, 6 if percent else 8, percent=percent)
        width, height = self._canvas.width, self._canvas.height
        for y in self.scale.place(list(self._ticks)) * height:
            self._canvas.draw_line([0, width], [round(y) + 0.5] * 2, GRID_COLOUR, 1)
        for x in self._horizontal.place(self._epochs()) * width:
            self._canvas.draw_line([round(x) + 0.5] * 2, [0, height], GRID_COLOUR, 1)

    def draw_line(self, epochs: Numbers, values: Numbers, label: str, *, marked: bool = False) -> None:
        """Draws a line in the look of its label; `marked` shows each of its points."""
        look = LOOKS[label]
        self.lines[label] = (list(epochs), list(values))
        xs, ys = self._place(epochs, values)
        self._canvas.draw_line(xs, ys, look.colour, look.width, look.dashes)
        if marked:
            self._canvas.draw_dots(xs, ys, 4, look.colour)

    def draw_gap(self, epochs: Numbers, train: Numbers, val: Numbers) -> None:
        """Shades what lies between two lines, where both are numbers."""
        self.draw_band(epochs, train, val, "gap")
        xs, lower = self._place(epochs, train)
        _, upper = self._place(epochs, val)
        if len(xs) == 1 and np.isfinite(lower[0] + upper[0]):
            # A single epoch has no area.
            self._canvas.draw_line([xs[0], xs[0]], [lower[0], upper[0]], "#F5D3BD", 12)

    def draw_band(self, epochs: Numbers, lower: Numbers, upper: Numbers, label: str) -> None:
        """Shades what lies between two lines, where both are numbers, in the colour of a label."""
        xs, low = self._place(epochs, lower)
        _, high = self._place(epochs, upper)
        finite = np.isfinite(low + high)
        for is_finite, group in groupby(range(len(xs)), key=lambda index: bool(finite[index])):
            part = list(group)
            if is_finite and len(part) > 1:
                self._canvas.draw_area(xs[part], low[part], high[part], LOOKS[label].colour, GAP_OPACITY)

    def mark_overfit(self, epoch: int, text: str = "", *, at_top: bool = True) -> None:
        """Draws a vertical line at the epoch where validation loss turned for good, with a text at one of its ends."""
        self.lines["overfit"] = ([epoch, epoch], [self.scale.bottom, self.scale.top])
        (share,) = self._horizontal.place([epoch])
        look, x = LOOKS["overfit"], round(share * self._canvas.width) + 0.5
        self._canvas.draw_line([x, x], [0, self._canvas.height], look.colour, look.width, look.dashes)
        if text:
            # On the side of the line with more room.
            right = epoch <= 1 + 0.55 * (self.last_epoch - 1)
            gap = 3 / self._canvas.width
            anchor = ("l" if right else "r") + ("a" if at_top else "d")
            place = (share + (gap if right else -gap), 0.01 if at_top else 0.985)
            self.notes.append(Note(text, *place, anchor))

    def draw_ring(self, epoch: float, value: float) -> None:
        """Draws a ring around the best epoch."""
        self.lines["best"] = ([epoch], [value])
        (x,), (y,) = self._place([epoch], [value])
        self._canvas.draw_ring(x, y, RING_RADIUS, BEST_COLOUR, LOOKS["best"].width)

    def finish(self, *, numbers: bool = True, epochs: bool = True) -> None:
        """Puts the panel onto the sheet, and writes beside it the numbers and below it the epochs."""
        sheet, left, top = self._sheet, self._left, self._top
        width, height = self._canvas.width, self._canvas.height
        sheet.place(left, top, self._canvas.pixels())
        sheet.fill(left - 1, top, 1, height, FAINT_INK)
        sheet.fill(left - 1, top + height, width + 1, 1, FAINT_INK)
        for text, share in zip(self._ticks.values(), self.scale.place(list(self._ticks)), strict=True):
            y = top + height - 1 - round(share * height)
            sheet.fill(left - 5, y, 4, 1, FAINT_INK)
            if numbers:
                sheet.write(left - 9, y, text, height=SMALL_HEIGHT, colour=FAINT_INK, anchor="rm")
        for epoch, share in zip(self._epochs(), self._horizontal.place(self._epochs()), strict=True):
            x = left + round(share * width)
            sheet.fill(x, top + height + 1, 1, 4, FAINT_INK)
            if epochs:
                place = (x, top + height + 7)
                sheet.write(*place, str(epoch), height=SMALL_HEIGHT, colour=FAINT_INK, anchor="ma")
        if epochs:
            sheet.write(left + width / 2, top + height + 26, "epoch", anchor="ma")
        for note in self.notes:
            self._write(note)

    def _write(self, note: Note) -> None:
        """Writes a note on a white ground."""
        sheet = self._sheet
        x, y = self._left + note.x * self._canvas.width, self._top + note.y * self._canvas.height
        lines = note.text.splitlines()
        width = round(max(measure(line, SMALL_HEIGHT) for line in lines)) + 8
        height = round(len(lines) * SMALL_HEIGHT * LINE_SPACING) + 4
        left = round(x - {"l": 0.0, "m": 0.5, "r": 1.0}[note.anchor[0]] * width)
        top = round(y - {"a": 0.0, "m": 0.5, "d": 1.0}[note.anchor[1]] * height)
        if note.frame is not None:
            sheet.fill(left - 1, top - 1, width + 2, height + 2, note.frame)
        sheet.fill(left, top, width, height, "white")
        place = (left + width / 2, top + height / 2)
        sheet.write(*place, note.text, height=SMALL_HEIGHT, colour=note.colour, anchor="mm")

    def _epochs(self) -> list[int]:
        return find_epoch_ticks(self.last_epoch, 6)

    def _place(self, epochs: Numbers, values: Numbers) -> tuple[np.ndarray, np.ndarray]:
        xs, ys = self._horizontal.place(epochs), self.scale.place(values)
        return xs * self._canvas.width, ys * self._canvas.height


class Chart(Sheet):
    """A sheet with panels.

    Attributes:
        panels: The panels, in the order in which they were added.
    """

    def __init__(self, width: float, height: float, title: str, subtitle: str = "") -> None:
        """Makes a chart without a panel."""
        super().__init__(width, height, title, subtitle)
        self.panels: list[Panel] = []

    def add_panel(
        self, place: tuple[float, float], size: tuple[int, int], scale: Scale, last_epoch: int, *, percent: bool
    ) -> Panel:
        """Adds a panel with a grid; `finish` has to be called once everything is drawn in it.

        Args:
            place: Its upper left corner, without what is written beside it.
            size: Its width and height.
            scale: Its vertical axis.
            last_epoch: The last epoch that its horizontal axis shows.
            percent: Whether its values are shares of one.
        """
        panel = Panel(self, place, size, scale, last_epoch)
        panel.draw_grid(percent=percent)
        self.panels.append(panel)
        return panel


def draw_history(panel: Panel, history: History, measure: str) -> None:
    """Draws train_eval and val of one measure, the gap between them, and a ring around the best epoch.

    Args:
        panel: Where to draw.
        history: The epochs; with none of them nothing is drawn.
        measure: `accuracy` or `loss`.
    """
    epochs = [epoch.epoch for epoch in history.epochs]
    train, val = history.series(f"train_eval_{measure}"), history.series(f"val_{measure}")
    # Few points are no line: they need markers to be seen at all.
    marked = len(epochs) <= 3
    panel.draw_gap(epochs, train, val)
    panel.draw_line(epochs, train, "train_eval", marked=marked)
    panel.draw_line(epochs, val, "val", marked=marked)
    best = find_best(history)
    if best is not None:
        panel.draw_ring(best.epoch, getattr(best, f"val_{measure}"))


def write_legend(sheet: Sheet, top: float, width: float, texts: Mapping[str, str], columns: int) -> None:
    """Writes below the panels what each line is.

    Args:
        sheet: The sheet.
        top: Where the legend begins.
        width: Width of the sheet's content, in whose middle it lies.
        texts: What to say, by the labels of the lines.
        columns: How many stand side by side.
    """
    entries = list(texts.items())
    rows = max(1, -(-len(entries) // columns))
    parts = [entries[start : start + rows] for start in range(0, len(entries), rows)]
    widths = [46 + max(measure(text, SMALL_HEIGHT) for _, text in part) for part in parts]
    left = (width - sum(widths) - LEGEND_GAP * (len(parts) - 1)) / 2
    for part, part_width in zip(parts, widths, strict=True):
        for row, (key, text) in enumerate(part):
            middle = top + (row + 0.5) * LEGEND_LINE
            sheet.place(left, middle - 9, _draw_sample(key))
            sheet.write(left + 44, middle, text, height=SMALL_HEIGHT)
        left += part_width + LEGEND_GAP


def _draw_sample(key: str) -> np.ndarray:
    look, canvas = LOOKS[key], Canvas(36, 18)
    if key == "gap":
        canvas.draw_area([0, 36], [4, 4], [14, 14], look.colour, GAP_OPACITY)
    elif key == "best":
        canvas.draw_ring(18, 9, RING_RADIUS, look.colour, look.width)
    else:
        canvas.draw_line([0, 36], [9, 9], look.colour, look.width, look.dashes)
    return canvas.pixels()
