"""Where the time of a search of fitgap's goes, from the moments that its trainings note."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: One training's moments, as `benchmarks.moments` notes them.
Moments = dict[str, float]


@dataclass(frozen=True)
class Part:
    """A part of a search: what it is, and its seconds, by trial; those outside of trials have one entry."""

    name: str
    seconds: tuple[float, ...]


def read_moments(path: Path) -> list[Moments]:
    """Returns the moments of all trainings, in the order in which they began."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return sorted((json.loads(line) for line in lines), key=lambda training: training["begun"])


def break_down(started: float, ended: float, trainings: Sequence[Moments]) -> list[Part]:
    """Divides the time of a search; the parts add up to the whole of it.

    Args:
        started: When its command started, in seconds since 1970.
        ended: When the command ended.
        trainings: Its trainings' moments, in the order in which they began.
    """
    within = {
        "building the model": [training["built"] for training in trainings],
        "first step, which traces": [training["traced"] for training in trainings],
        "other training steps": [training["stepped"] for training in trainings],
        "evaluation": [training["evaluated"] for training in trainings],
    }
    whole = [training["ended"] - training["begun"] for training in trainings]
    rest = tuple(total - sum(parts) for total, *parts in zip(whole, *within.values(), strict=True))
    gaps = tuple(later["begun"] - earlier["ended"] for earlier, later in itertools.pairwise(trainings))
    return [
        Part("start of the command, to the first trial", (trainings[0]["begun"] - started,)),
        *(Part(name, tuple(seconds)) for name, seconds in within.items()),
        Part("recording, drawing, opening the data", rest),
        Part("between trials", gaps),
        Part("end of the command, from the last trial", (ended - trainings[-1]["ended"],)),
    ]


def list_parts(parts: Sequence[Part]) -> list[tuple[str, ...]]:
    """Returns the rows of a table: the seconds of each part, in the median trial and in all, and its share."""
    whole = sum(sum(part.seconds) for part in parts)
    rows: list[tuple[str, ...]] = [("part of fitgap's search", "median seconds", "seconds in all", "share")]
    for part in parts:
        total = sum(part.seconds)
        middle = f"{statistics.median(part.seconds):.2f}" if part.seconds else ""
        rows.append((part.name, middle, f"{total:.1f}", f"{total / whole:.0%}"))
    return rows
