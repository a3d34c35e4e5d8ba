"""Differences with their intervals as marks and bars, all of one table on one scale."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from markupsafe import Markup

from src.analysis.intervals import Estimate
from src.page.scales import Scale
from src.page.svg import drawing, element, share
from src.page.wording import describe, percent

#: Room beyond the farthest difference, and beyond the farthest end of an interval.
BEYOND_MEAN, BEYOND_END = 1.5, 1.08
#: The least that the axis reaches to each side, as a difference of shares.
LEAST = 0.01
#: Height of a bar's drawing in pixels, and of the axis above all bars.
BAR_HEIGHT, AXIS_HEIGHT = 36, 36


class Forest:
    """The scale of a table of estimates: zero in its middle, equal to both sides."""

    def __init__(self, estimates: Sequence[Estimate]) -> None:
        """Chooses a scale that holds all differences, and all intervals but those few that are very much wider."""
        means = [abs(estimate.mean) for estimate in estimates if math.isfinite(estimate.mean)]
        ends = [abs(end) for estimate in estimates for end in (estimate.low, estimate.high) if end is not None]
        ends = [end for end in ends if math.isfinite(end)]
        reach = max([LEAST, *(BEYOND_MEAN * mean for mean in means)])
        if ends:
            reach = max(reach, min(BEYOND_END * max(ends), 2 * reach, 3 * statistics.median(ends)))
        self.scale = Scale(-reach, reach)

    def draw_axis(self, left: str, right: str) -> Markup:
        """Returns the numbers above the bars, in points, and in words what lies to each side of zero."""
        parts = [
            element("text", f"← {left}", x="0%", y=12, class_="side"),
            element("text", f"{right} →", x="100%", y=12, class_="side end"),
        ]
        for tick in self.scale.ticks(4, hundredfold=True):
            text = tick.text if tick.text.startswith("\u2212") or tick.text.strip("0.") == "" else f"+{tick.text}"
            parts.append(element("text", text, x=share(tick.place), y=AXIS_HEIGHT - 6, class_="tick middle"))
        return drawing(f"Scale in points: {left} to the left, {right} to the right", *parts, class_="forest axis")

    def draw(self, estimate: Estimate, better: int, name: str) -> Markup:
        """Returns one difference with its interval.

        Args:
            estimate: The difference.
            better: Which sign is the better one, -1 or 1.
            name: What it is the difference of.
        """
        ticks = self.scale.ticks(4, hundredfold=True)
        parts = [self._draw_line(tick.place, "zero" if tick.place == 0.5 else "grid") for tick in ticks]
        if math.isfinite(estimate.mean):
            parts += [self._draw_interval(estimate), self._draw_mark(estimate)]
        title = f"{name}: {describe(estimate)}"
        return drawing(title, *parts, class_=f"forest {judge(estimate, better)}")

    def _draw_line(self, place: float, name: str) -> Markup:
        """Draws a line through the bar's whole height."""
        return element("line", x1=share(place), x2=share(place), y1=0, y2=BAR_HEIGHT, class_=name)

    def _draw_interval(self, estimate: Estimate) -> Markup:
        """Draws the bar; an end beyond the scale becomes an arrow."""
        if estimate.low is None or estimate.high is None:
            return Markup("")
        places = [min(1.0, max(0.0, self.scale.place(end))) for end in (estimate.low, estimate.high)]
        middle = BAR_HEIGHT // 2
        parts = [element("line", x1=share(places[0]), x2=share(places[1]), y1=middle, y2=middle, class_="whisker")]
        for place, end, name in zip(places, (estimate.low, estimate.high), ("left", "right"), strict=True):
            mark = "#end" if self.scale.holds(end) else f"#out-{name}"
            parts.append(element("use", href=mark, x=share(place), y=middle, class_="whisker-end"))
        return Markup("").join(parts)

    def _draw_mark(self, estimate: Estimate) -> Markup:
        """Draws the difference itself: a dot, or a diamond where nothing tells how certain it is."""
        mark = "#mark-0" if estimate.has_interval else "#mark-3"
        return element("use", href=mark, x=share(self.scale.place(estimate.mean)), y=BAR_HEIGHT // 2, class_="mean")


def judge(estimate: Estimate, better: int) -> str:
    """Returns what an estimate shows: `good`, `bad`, `unclear`, or `single` where it bears no interval."""
    if not math.isfinite(estimate.mean) or not estimate.has_interval:
        return "single"
    if not estimate.excludes_zero:
        return "unclear"
    return "good" if estimate.mean * better > 0 else "bad"


def draw_shares(gap: float, accuracy: float, key: str) -> Markup:
    """Returns the shares of two variations that a key explains as a pair of bars."""
    parts = []
    for line, (share_of, name) in enumerate(((gap, "gap"), (accuracy, "accuracy"))):
        known = math.isfinite(share_of)
        text = f"{percent(share_of, 0)} of {name}" if known else f"{name}: not known"
        place = share(min(1.0, max(0.0, share_of)) if known else 0.0)
        parts.append(element("rect", x=0, y=2 + 20 * line, width=place, height=14, class_=f"share of-{name}"))
        parts.append(element("text", text, x=place, dx=6, y=13 + 20 * line, class_="share-name"))
    return drawing(f"Shares that {key} explains of the variation", *parts, class_="shares")
