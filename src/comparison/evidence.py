"""What the complete runs of a sweep are evidence for: effects of a grid's choices, influences of what was searched."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from src.analysis.effects import GAP, VAL_ACCURACY, Effect, Observation, compare_levels
from src.analysis.influence import Influences, Trial, estimate_influences
from src.comparison.row import Row
from src.ending import COMPLETE

#: How `src.study.dimension` describes a key that is searched by orders of magnitude.
_LOGARITHMIC = ", log"


@dataclass(frozen=True)
class Evidence:
    """What can be said of the keys in which the runs of a sweep differ.

    Attributes:
        effects: Of a grid, what each choice does instead of the first one of its key.
        gap: Of a search, how much each key matters for the gap; None where there are too few trials.
        accuracy: The same for validation accuracy.
    """

    effects: tuple[Effect, ...] = ()
    gap: Influences | None = None
    accuracy: Influences | None = None

    @property
    def num_seeds(self) -> int:
        """Most seeds with which two runs of a grid were compared; 0 where none were."""
        return max((effect.num_seeds for effect in self.effects), default=0)


def weigh_grid(rows: Sequence[Row]) -> Evidence:
    """Returns the effects of the choices in which the runs of a grid differ.

    Args:
        rows: The runs in the order in which they were planned, which is that of the command line; their params are
            their values of the grid's keys.
    """
    keys = dict.fromkeys(key for row in rows for key in row.params)
    levels = {key: tuple(dict.fromkeys(row.params[key] for row in rows if key in row.params)) for key in keys}
    observations = [Observation(row.params, row.values) for row in rows if row.state == COMPLETE]
    return Evidence(effects=tuple(compare_levels(observations, levels)))


def weigh_search(rows: Sequence[Row], space: Mapping[str, str]) -> Evidence:
    """Returns how much each key matters in which the trials of a search differ.

    Args:
        rows: The trials of all arms; their params are their values of the searched keys and of the arms' keys.
        space: What is searched, by key, in words.
    """
    logarithmic = find_logarithmic(space)
    trials = [Trial(row.params, row.values) for row in rows if row.state == COMPLETE]
    accuracy = estimate_influences(trials, VAL_ACCURACY, logarithmic=logarithmic)
    contrasts = {} if accuracy is None else {each.key: each.between for each in accuracy.keys}
    gap = estimate_influences(trials, GAP, logarithmic=logarithmic, contrasts=contrasts)
    return Evidence(gap=gap, accuracy=accuracy)


def find_logarithmic(space: Mapping[str, str]) -> Collection[str]:
    """Returns the keys that are searched by orders of magnitude."""
    return {key.lstrip("+") for key, text in space.items() if text.endswith(_LOGARITHMIC)}
