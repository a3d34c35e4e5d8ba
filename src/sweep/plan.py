"""What a sweep is asked to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.utils import JobReturn
from rich.console import Console

from src.config.run import RunConfig
from src.sweep.application import Application
from src.sweep.grid import Cell


@dataclass(frozen=True)
class Sweep:
    """What a sweep needs to run.

    Attributes:
        cells: What shall be run.
        configs: The configuration of each, checked.
        launch: Runs one job with the given overrides and number, and returns how it ended.
        application: Prepares the cells.
        folder: Folder for the files of the sweep.
        console: Where the person who started it looks.
    """

    cells: Sequence[Cell]
    configs: Sequence[RunConfig]
    launch: Callable[[Sequence[str], int], JobReturn]
    application: Application
    folder: Path
    console: Console

    @property
    def axes(self) -> dict[str, list[str]]:
        """The grid's axes: the values of each key, in the order of the command line."""
        axes: dict[str, dict[str, None]] = {}
        for cell in self.cells:
            for key, value in cell.axes.items():
                axes.setdefault(key, {})[value] = None
        return {key: list(values) for key, values in axes.items()}

    @property
    def name(self) -> str:
        """The parent run's name."""
        return f"grid of {', '.join(self.axes) or 'one cell'}"

    @property
    def question(self) -> str:
        """What the sweep shall answer."""
        choices = " and ".join(f"{key}={','.join(values)}" for key, values in self.axes.items())
        return f"Which of {choices or 'one configuration'} generalizes best on {self.configs[0].dataset.name}?"
