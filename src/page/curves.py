"""Training curves as small multiples: accuracy above loss, one panel a run, all on the same axes."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from src.history import EpochMetrics, History
from src.page.content import Panel
from src.page.scales import choose_accuracy_scale, choose_loss_scale, find_round_numbers
from src.page.svg import drawing, element, number
from src.page.wording import loss, percent, points

#: Units of a panel's drawing; on a wide screen one is about a pixel.
WIDTH, HEIGHT = 300.0, 236.0
LEFT, RIGHT = 38.0, 292.0
#: Where the two plots start and end, from the top.
PLOTS = {"accuracy": (18.0, 122.0), "loss": (144.0, 210.0)}
#: Room that a direct label needs above the curve's end, or below it.
LABEL_ABOVE, LABEL_BELOW = 6.0, 13.0

_Place = tuple[float, float]


class Curves:
    """The panels of a page, and the axes that they share."""

    def __init__(self, panels: Sequence[Panel]) -> None:
        """Chooses axes on which the curves of most panels lie entirely."""
        histories = [panel.history for panel in panels]
        self.scales = {"accuracy": choose_accuracy_scale(histories), "loss": choose_loss_scale(histories)}
        epochs = [epoch.epoch for history in histories for epoch in history.epochs]
        self.first_epoch, self.last_epoch = (min(epochs), max(epochs)) if epochs else (1, 1)
        # One panel names its curves for all: the first of the longest, whose ends have the most room.
        self._labelled = max(panels, key=lambda panel: len(panel.history), default=None)

    def draw(self, panel: Panel, identity: str) -> Markup:
        """Returns the drawing of a panel with at least one epoch.

        Args:
            panel: The panel.
            identity: What the ids in it start with.
        """
        history, best = panel.history, find_best(panel.history)
        parts = [self._draw_epochs()]
        for measure in PLOTS:
            parts += [self._draw_axis(measure), self._draw_gap(history, measure)]
            parts += [self._draw_curve(history, f"{side}_{measure}") for side in ("train_eval", "val")]
        if best is not None:
            parts.append(self._draw_best(best))
        if panel.onset is not None:
            parts.append(self._draw_onset(panel.onset))
        if panel is self._labelled:
            parts += self._label_ends(history)
        return drawing(
            f"Accuracy and loss of {panel.name}",
            *parts,
            description=" ".join([describe(history), *self.find_remarks(history)]),
            identity=identity,
            viewBox=f"0 0 {number(WIDTH)} {number(HEIGHT)}",
            class_="curves",
        )

    def find_remarks(self, history: History) -> list[str]:
        """Returns what a drawing cannot show of a history: losses that are no numbers, and what leaves the axes."""
        remarks = []
        lost = [epoch.epoch for epoch in history.epochs if not math.isfinite(epoch.train_eval_loss + epoch.val_loss)]
        if lost:
            to_the_end = lost == [epoch.epoch for epoch in history.epochs[-len(lost) :]]
            when = f"from epoch {lost[0]} on" if to_the_end else f"in {len(lost)} epochs, first in epoch {lost[0]}"
            remarks.append(f"Loss is not a finite number {when}.")
        for measure, scale in self.scales.items():
            values = [value for side in ("train_eval", "val") for value in history.series(f"{side}_{measure}")]
            finite = [value for value in values if math.isfinite(value)]
            write = percent if measure == "accuracy" else loss
            if finite and max(finite) > scale.top:
                remarks.append(f"▲ leaves the axis: {measure} up to {write(max(finite))}.")
            if finite and min(finite) < scale.bottom:
                remarks.append(f"▼ leaves the axis: {measure} down to {write(min(finite))}.")
        return remarks

    def find_values(self, panel: Panel) -> str:
        """Returns a panel's values as JSON for the pointer that walks along its curves, with null for no number.

        They come with where each epoch lies, as a share of the drawing's width.
        """
        epochs = panel.history.epochs
        values: dict[str, object] = {
            "epoch": [epoch.epoch for epoch in epochs],
            "x": [round(self._across(epoch.epoch) / WIDTH, 4) for epoch in epochs],
        }
        for key in ("train_eval_accuracy", "val_accuracy", "train_eval_loss", "val_loss"):
            series = panel.history.series(key)
            values[key] = [float(f"{value:.4g}") if math.isfinite(value) else None for value in series]
        return json.dumps(values, separators=(",", ":"), allow_nan=False)

    def _across(self, epoch: float) -> float:
        """Returns where an epoch lies from the left; a single one lies in the middle."""
        if self.last_epoch == self.first_epoch:
            return (LEFT + RIGHT) / 2
        return LEFT + (RIGHT - LEFT) * (epoch - self.first_epoch) / (self.last_epoch - self.first_epoch)

    def _down(self, measure: str, share: float) -> float:
        """Returns where a share of a plot's height lies from the drawing's top; beyond the plot it is at its edge."""
        top, bottom = PLOTS[measure]
        return bottom - (bottom - top) * min(1.0, max(0.0, share))

    def _draw_epochs(self) -> Markup:
        """Draws the axis of epochs, which both plots share."""
        room = max(self.last_epoch - self.first_epoch, 1)
        ticks = [int(tick) for tick in find_round_numbers(self.first_epoch, self.first_epoch + room, min(room, 4))]
        # A round epoch beside the first or last one would be written into it.
        inner = [tick for tick in ticks if 0.12 < (tick - self.first_epoch) / room < 0.78]
        texts = [
            element("text", str(tick), x=self._across(tick), y=HEIGHT - 12, class_="tick middle") for tick in inner
        ]
        if self.last_epoch == self.first_epoch:
            text = f"epoch {self.last_epoch}"
            texts = [element("text", text, x=self._across(self.last_epoch), y=HEIGHT - 12, class_="tick middle")]
        else:
            texts.append(element("text", str(self.first_epoch), x=LEFT, y=HEIGHT - 12, class_="tick middle"))
            texts.append(element("text", f"epoch {self.last_epoch}", x=RIGHT, y=HEIGHT - 12, class_="tick end"))
        return Markup("").join(texts)

    def _draw_axis(self, measure: str) -> Markup:
        """Draws a plot's name, its grid and the numbers beside it."""
        top, _ = PLOTS[measure]
        scale = self.scales[measure]
        ticks = scale.ticks(4, hundredfold=True, unit=" %") if measure == "accuracy" else scale.ticks(3)
        name = f"{measure}, logarithmic" if scale.logarithmic else measure
        parts = [element("text", name, x=LEFT, y=top - 7, class_="plot-name")]
        for tick in ticks:
            y = self._down(measure, tick.place)
            parts.append(element("line", x1=LEFT, x2=RIGHT, y1=y, y2=y, class_="grid"))
            parts.append(element("text", tick.text, x=LEFT - 5, y=y + 3.2, class_="tick end"))
        return Markup("").join(parts)

    def _draw_gap(self, history: History, measure: str) -> Markup:
        """Shades what lies between the two curves, wherever both have a value."""
        areas = []
        for run in _split(history, f"train_eval_{measure}", f"val_{measure}"):
            places = [
                (self._across(epoch), [self._down(measure, self.scales[measure].place(v)) for v in values])
                for epoch, values in run
            ]
            upper = [f"{number(x)},{number(ys[0])}" for x, ys in places]
            lower = [f"{number(x)},{number(ys[1])}" for x, ys in reversed(places)]
            areas.append(element("polygon", points=" ".join(upper + lower), class_="gap"))
        return Markup("").join(areas)

    def _draw_curve(self, history: History, key: str) -> Markup:
        """Draws a curve, a dot where a value has no neighbours, and a mark wherever it leaves its plot."""
        side, measure = key.rsplit("_", 1)
        scale = self.scales[measure]
        parts: list[Markup] = []
        path: list[str] = []
        for run in _split(history, key):
            places = [(self._across(epoch), scale.place(values[0])) for epoch, values in run]
            if len(places) == 1 and 0 <= places[0][1] <= 1:
                x, share = places[0]
                parts.append(element("circle", cx=x, cy=self._down(measure, share), r=3.0, class_=f"dot {side}"))
            for piece in _clip(places):
                start, end = (self._write(measure, place) for place in piece)
                # A piece goes on where the last one ended, unless the curve was outside in between.
                path += [" ", end] if path and path[-1] == start else [f"M{start}L", end]
            parts += [self._mark_exit(measure, x, share) for x, share in _find_exits(places)]
        if path:
            parts.insert(0, element("path", d="".join(path), class_=f"curve {side}"))
        return Markup("").join(parts)

    def _write(self, measure: str, place: _Place) -> str:
        """Returns a place in a plot as a path names it."""
        return f"{number(place[0])},{number(self._down(measure, place[1]))}"

    def _mark_exit(self, measure: str, x: float, share: float) -> Markup:
        """Draws a small arrow whose tip is where a curve leaves its plot."""
        edge = self._down(measure, share)
        base = edge + 6 if share > 0.5 else edge - 6
        corners = f"{number(x)},{number(edge)} {number(x + 4)},{number(base)} {number(x - 4)},{number(base)}"
        return element("polygon", points=corners, class_="exit")

    def _draw_best(self, best: EpochMetrics) -> Markup:
        """Draws the gap at the best epoch as a bracket between the two accuracies, with a ring around the one shown."""
        scale, x = self.scales["accuracy"], self._across(best.epoch)
        val = self._down("accuracy", scale.place(best.val_accuracy))
        ring = element("circle", cx=x, cy=val, r=4.0, class_="best")
        if not math.isfinite(best.train_eval_accuracy):
            return ring
        train = self._down("accuracy", scale.place(best.train_eval_accuracy))
        return element("line", x1=x, x2=x, y1=train, y2=val, class_="bracket") + ring

    def _draw_onset(self, onset: int) -> Markup:
        """Draws a line through both plots where overfitting starts, named below the accuracies."""
        x = self._across(min(max(onset, self.first_epoch), self.last_epoch))
        top, below = PLOTS["accuracy"]
        line = element("line", x1=x, x2=x, y1=top, y2=PLOTS["loss"][1], class_="onset")
        anchor, aside = ("start", 4) if x < (LEFT + RIGHT) / 2 + 20 else ("end", -4)
        text = f"overfits from {onset}"
        return line + element("text", text, x=x + aside, y=below - 5, class_=f"onset-name {anchor}")

    def _label_ends(self, history: History) -> Iterator[Markup]:
        """Names the two curves at the end of the accuracies, the upper one above it and the lower one below."""
        ends = {}
        for side in ("train_eval", "val"):
            values = [value for value in history.series(f"{side}_accuracy") if math.isfinite(value)]
            if values:
                ends[side] = self._down("accuracy", self.scales["accuracy"].place(values[-1]))
        upper = min(ends, key=lambda side: ends[side], default="")
        last = self._across(history.epochs[-1].epoch)
        for side, y in ends.items():
            name = "training" if side == "train_eval" else "validation"
            place = y - LABEL_ABOVE if side == upper else min(y + LABEL_BELOW, PLOTS["accuracy"][1] - 3)
            yield element("text", name, x=last - 3, y=place, class_=f"curve-name end {side}")


def find_best(history: History) -> EpochMetrics | None:
    """Returns the best epoch of those whose validation accuracy is a number, or None."""
    epochs = tuple(epoch for epoch in history.epochs if math.isfinite(epoch.val_accuracy))
    return History(epochs).best() if epochs else None


def describe(history: History) -> str:
    """Returns a history's result in words: the gap and the validation accuracy at the best epoch."""
    best = find_best(history)
    if best is None:
        return "No epoch with a validation accuracy."
    gap = f"gap {points(best.gap_accuracy)}, " if math.isfinite(best.gap_accuracy) else ""
    return f"At its best epoch, {best.epoch} of {len(history)}: {gap}validation {percent(best.val_accuracy)}."


def _split(history: History, *keys: str) -> Iterator[list[tuple[int, list[float]]]]:
    """Yields the stretches of epochs in which all of some metrics are numbers, each epoch with its values."""
    stretch: list[tuple[int, list[float]]] = []
    for epoch in history.epochs:
        values = [float(getattr(epoch, key)) for key in keys]
        if all(map(math.isfinite, values)):
            stretch.append((epoch.epoch, values))
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def _clip(places: Sequence[_Place]) -> Iterator[tuple[_Place, _Place]]:
    """Yields what of a line lies within its plot, piece by piece: places from the left, and shares of the height."""
    for (x0, y0), (x1, y1) in itertools.pairwise(places):
        # From where to where, as shares of the piece, it is at most at the top and at least at the bottom.
        start, end = 0.0, 1.0
        for distance, slope in ((1 - y0, y0 - y1), (y0, y1 - y0)):
            if slope < 0:
                end = min(end, distance / -slope)
            elif slope > 0:
                start = max(start, -distance / slope)
            elif distance < 0:
                start, end = 1.0, 0.0
        if start < end:
            yield (x0 + (x1 - x0) * start, y0 + (y1 - y0) * start), (x0 + (x1 - x0) * end, y0 + (y1 - y0) * end)


def _find_exits(places: Sequence[_Place]) -> Iterator[_Place]:
    """Yields where a line leaves its plot; where it starts outside, the edge nearest to its start."""
    before: _Place | None = None
    for x, share in places:
        edge = min(1.0, max(0.0, share))
        if share != edge and before is None:
            yield x, edge
        elif share != edge and before is not None and 0 <= before[1] <= 1:
            yield before[0] + (x - before[0]) * (edge - before[1]) / (share - before[1]), edge
        before = x, share
