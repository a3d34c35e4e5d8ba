"""Gap against validation accuracy, a mark for each run: the closer to the upper left corner, the better."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from src.page.content import Point
from src.page.links import leads_into_mlflow
from src.page.scales import Scale, choose_scatter_scale
from src.page.svg import drawing, element, share
from src.page.wording import count, percent, points, shorten

#: Arms that look different; those with fewer runs share the last look.
MOST_GROUPS = 7
OTHERS = "other arms"
#: Least width of both axes, as shares: differences below are noise and must not fill the picture.
LEAST_WIDTH = 0.04
#: Runs of the front that are named in the picture; the room for a name, as shares of the picture on a wide screen.
MOST_NAMES, NAME_LENGTH = 8, 26
ROOM_ACROSS, ROOM_DOWN = 0.26, 0.055


@dataclass(frozen=True)
class Group:
    """Runs that look alike: how their look is numbered, and how many they are."""

    name: str
    look: int
    count: int


class Scatter:
    """The picture of a page's points."""

    def __init__(self, given: Sequence[Point]) -> None:
        """Takes the points whose two values are numbers."""
        self.points = [point for point in given if math.isfinite(point.gap) and math.isfinite(point.val_accuracy)]
        self.left_out = len(given) - len(self.points)
        self.across = choose_scatter_scale([point.gap for point in self.points], LEAST_WIDTH)
        self.up = choose_scatter_scale([point.val_accuracy for point in self.points], LEAST_WIDTH)
        self.groups = _find_groups(self.points)
        self._looks = {group.name: group.look for group in self.groups}

    @property
    def beyond(self) -> int:
        """How many points lie beyond the axes and are drawn at their edge."""
        return sum(not (self.across.holds(p.gap) and self.up.holds(p.val_accuracy)) for p in self.points)

    def draw(self) -> Markup:
        """Returns the picture: its whole area is the plot, and the numbers stand outside of it."""
        front = sorted(
            (point for point in self.points if point.on_front), key=lambda point: (point.gap, point.val_accuracy)
        )
        rest = [point for point in self.points if not point.on_front]
        return drawing(
            "Gap against best validation accuracy of each run",
            element("rect", x="0", y="0", width="100%", height="100%", class_="good-corner"),
            *self._draw_axes(),
            *(self._draw_point(point) for point in rest),
            *self._draw_front(front),
            *(self._draw_point(point) for point in front),
            *self._name(front),
            description=self._describe(front),
            identity="scatter",
            class_="scatter",
        )

    def _describe(self, front: Sequence[Point]) -> str:
        """Returns in words what the front consists of."""
        named = "; ".join(
            f"{shorten(point.name, 60)}: gap {points(point.gap)}, validation {percent(point.val_accuracy)}"
            for point in front[:MOST_NAMES]
        )
        return f"{count(len(self.points), 'run')}. On the front, from the smallest gap: {named}."

    def _draw_axes(self) -> list[Markup]:
        """Draws grid and numbers, and the line without any gap where it is in the picture."""
        parts = []
        for tick in self.across.ticks(6, hundredfold=True):
            place = share(tick.place)
            name = "zero" if tick.text.strip("0.") == "" else "grid"
            parts.append(element("line", x1=place, x2=place, y1="0%", y2="100%", class_=name))
            parts.append(element("text", tick.text, x=place, y="100%", dy=18, class_="tick middle"))
        for tick in self.up.ticks(5, hundredfold=True, unit=" %"):
            place = share(1 - tick.place)
            parts.append(element("line", x1="0%", x2="100%", y1=place, y2=place, class_="grid"))
            parts.append(element("text", tick.text, x="0%", dx=-8, y=place, dy=4, class_="tick end"))
        return parts

    def _place(self, point: Point) -> tuple[float, float]:
        """Returns where a point lies, as shares from the left and from the top, at most at the edge."""
        across, up = self.across.place(point.gap), self.up.place(point.val_accuracy)
        return min(1.0, max(0.0, across)), 1 - min(1.0, max(0.0, up))

    def _draw_point(self, point: Point) -> Markup:
        """Draws a run as the mark of its arm, or as an arrow where it lies beyond the axes."""
        x, y = self._place(point)
        look = self._looks.get(point.group, MOST_GROUPS - 1)
        mark = _find_exit(self.across, point.gap, "left", "right") or _find_exit(
            self.up, point.val_accuracy, "down", "up"
        )
        words = f"{point.name}: gap {points(point.gap)}, validation {percent(point.val_accuracy)}"
        return element(
            "use",
            element("title", words),
            href=f"#out-{mark}" if mark else f"#mark-{look}",
            x=share(x),
            y=share(y),
            class_=f"point look-{look}{' front' if point.on_front else ''}",
            data_link=point.link if leads_into_mlflow(point.link) else None,
        )

    def _draw_front(self, front: Sequence[Point]) -> list[Markup]:
        """Connects the runs of the front."""
        places = [self._place(point) for point in front]
        return [
            element("line", x1=share(x1), y1=share(y1), x2=share(x2), y2=share(y2), class_="front-line")
            for (x1, y1), (x2, y2) in itertools.pairwise(places)
        ]

    def _name(self, front: Sequence[Point]) -> list[Markup]:
        """Names the runs of the front, the most accurate first, as long as their names do not cover each other."""
        names: list[Markup] = []
        taken: list[tuple[float, float]] = []
        for point in reversed(front):
            x, y = self._place(point)
            if len(names) < MOST_NAMES and all(abs(x - a) > ROOM_ACROSS or abs(y - b) > ROOM_DOWN for a, b in taken):
                taken.append((x, y))
                anchor, aside = ("start", 10) if x < 0.7 else ("end", -10)
                text = shorten(point.name, NAME_LENGTH)
                place = {"x": share(x), "dx": aside, "y": share(y), "dy": 14 if y < 0.04 else -7}
                names.append(element("text", text, **place, class_=f"point-name {anchor}"))
        return names


def _find_exit(scale: Scale, value: float, below: str, above: str) -> str:
    """Returns on which side a value lies beyond an axis; empty if it does not."""
    return "" if scale.holds(value) else below if value < scale.bottom else above


def _find_groups(given: Sequence[Point]) -> list[Group]:
    """Returns the arms in the order in which they come, the smallest ones together if there are too many."""
    sizes = Counter(point.group for point in given)
    if len(sizes) <= MOST_GROUPS:
        return [Group(name, look, size) for look, (name, size) in enumerate(sizes.items())]
    largest = {name for name, _ in sizes.most_common(MOST_GROUPS - 1)}
    groups = [Group(name, look, sizes[name]) for look, name in enumerate(name for name in sizes if name in largest)]
    return [*groups, Group(OTHERS, MOST_GROUPS - 1, sum(sizes.values()) - sum(group.count for group in groups))]
