"""The grid: every combination of the values listed on the command line."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.override_parser.types import Override

from src.errors import ConfigError
from src.naming import MAX_NAME_LENGTH, shorten, shorten_key


@dataclass(frozen=True)
class Cell:
    """One combination of the grid: one run, or in a search one arm, with a study of its own.

    Attributes:
        number: Its place in the grid, from 0.
        overrides: Everything that composes it, in Hydra's grammar.
        axes: What distinguishes it from the other cells: value by key, in the order of the command line.
    """

    number: int
    overrides: tuple[str, ...]
    axes: dict[str, str]

    @property
    def name(self) -> str:
        """What distinguishes it, in short: `model=vgg16, dropout=0.5`; unique within the grid also where it is cut."""
        name = ", ".join(shorten_key(f"{key}={value}") for key, value in self.axes.items()) or "single cell"
        mark = f" #{self.number}"
        return name if len(name) <= MAX_NAME_LENGTH else shorten(name, MAX_NAME_LENGTH - len(mark)) + mark


def expand_grid(overrides: Sequence[Override]) -> list[Cell]:
    """Returns the cells of the grid that comma lists and `glob(…)` span, the last one fastest.

    Args:
        overrides: Those of the command line, without the keys that are searched.

    Raises:
        ConfigError: A value is listed twice.
    """
    # Of two overrides of one key the later counts, as everywhere in Hydra.
    latest = {override.get_key_element(): override for override in overrides}
    axes = {key: _list_values(override) for key, override in latest.items() if override.is_sweep_override()}
    cells = []
    for number, values in enumerate(itertools.product(*axes.values())):
        chosen = dict(zip(axes, values, strict=True))
        # Hydra applies overrides in order, so every cell keeps the order of the command line.
        texts = (f"{key}={chosen[key]}" if key in chosen else override.input_line for key, override in latest.items())
        cells.append(Cell(number, tuple(filter(None, texts)), chosen))
    return cells


def _list_values(override: Override) -> list[str]:
    values = [str(value) for value in override.sweep_string_iterator()]
    repeated = [value for value, count in Counter(values).items() if count > 1]
    if repeated:
        # Their cells would have one name, and would be one training done twice.
        raise ConfigError(
            f"{override.input_line} lists {', '.join(repeated)} more than once. Give each value once; to repeat a "
            "training, list several seeds: seed=0,1,2."
        )
    return values
