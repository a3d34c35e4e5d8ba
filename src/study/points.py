"""The points that a study tries first, or, of a grid, at all: handed out one by one, each once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial

from src.study import attributes

_Key = tuple[tuple[str, str], ...]


class PointList:
    """Points in their order; of equal ones the first counts.

    They are not enqueued in the storage: Optuna reads all trials that wait again at every turn, which a grid of a
    thousand would make slow, and it takes what was enqueued first before what is to be run again.
    """

    def __init__(self, points: Iterable[Mapping[str, Any]]) -> None:
        """Takes the points, which may leave keys out."""
        self._points: dict[_Key, Mapping[str, Any]] = {}
        self._settled: set[int] = set()
        for point in points:
            self._points.setdefault(_key(point), point)

    @classmethod
    def of_grid(cls, first: Iterable[Mapping[str, Any]], grid: Sequence[Mapping[str, Any]]) -> PointList:
        """Returns the points of a grid, those before the others that agree with a point to be tried first."""
        wanted = [set(_key(point)) for point in first]
        return cls([*(point for keys in wanted for point in grid if keys <= set(_key(point))), *grid])

    def remaining(self, trials: Iterable[FrozenTrial]) -> list[Mapping[str, Any]]:
        """Returns the points that no trial has tried or has been given; `trials` are all of the study."""
        for trial in trials if self._points else ():
            if trial.number in self._settled:
                continue
            self._points.pop(_key(trial.params), None)
            self._points.pop(_key(trial.system_attrs.get(attributes.FIXED_PARAMS, {})), None)
            if trial.state.is_finished():
                self._settled.add(trial.number)
        return list(self._points.values())


def _key(point: Mapping[str, Any]) -> _Key:
    # Optuna adds steps up in floats, where 0.1 + 0.2 is not 0.3; in a configuration True is not 1.
    return tuple(sorted((key, f"{v:.12g}" if isinstance(v, float) else repr(v)) for key, v in point.items()))
