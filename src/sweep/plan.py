"""What a sweep is asked to do: a grid of single runs, or a search with a study per arm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.utils import JobReturn
from omegaconf import DictConfig
from rich.console import Console

from src.config.sweeper import SweeperConfig
from src.study.objective import Objectives
from src.sweep.application import Application, Checked
from src.sweep.arms import Arm
from src.sweep.grid import Cell
from src.sweep.launching import Launching


@dataclass(frozen=True)
class Sweep:
    """What a grid needs to run.

    Attributes:
        cells: What shall be run.
        axes: The grid's axes: the values of each key, in the order of the command line.
        configs: The configuration of each cell, checked.
        launch: Runs one job with the given overrides and number, and returns how it ended.
        application: Prepares the cells.
        folder: Folder for the files of the sweep.
        settings: The sweeper's settings.
        console: Where the person who started it looks.
    """

    cells: Sequence[Cell]
    axes: dict[str, list[str]]
    configs: Sequence[Checked]
    launch: Callable[[Sequence[str], int], JobReturn]
    application: Application
    folder: Path
    settings: SweeperConfig
    console: Console

    @property
    def name(self) -> str:
        """The parent run's name."""
        return f"grid of {', '.join(self.axes) or 'one cell'}"

    @property
    def question(self) -> str:
        """What the sweep shall answer."""
        choices = " and ".join(f"{key}={','.join(values)}" for key, values in self.axes.items())
        return f"Which of {choices or 'one configuration'} generalizes best on {self.configs[0].subject}?"


@dataclass(frozen=True)
class Search:
    """What a search needs to run.

    Attributes:
        name: Its name; the parent run's, and the beginning of its studies' names.
        question: What it shall answer.
        arms: One study each.
        axes: What the arms differ in: the values of each key, in the order of the command line.
        settings: The sweeper's settings.
        objectives: What is optimized, and what constrains it.
        compose: Composes the configuration of a list of overrides.
        application: Prepares the trials, and says where they are recorded.
        launching: Starts the trials.
        folder: Folder for the files of this process's trials.
        root: The project's root, in which the default storage lies.
        console: Where the person who started it looks.
        config_name: Name of the application's primary configuration; the winner's file extends it.
    """

    name: str
    question: str
    arms: Sequence[Arm]
    axes: dict[str, list[str]]
    settings: SweeperConfig
    objectives: Objectives
    compose: Callable[[Sequence[str]], DictConfig]
    application: Application
    launching: Launching
    folder: Path
    root: Path
    console: Console
    config_name: str

    @property
    def n_trials(self) -> int:
        """Trials of each arm; one where there is nothing to search."""
        return self.settings.n_trials if self.arms[0].space.dimensions else 1

    def study_name(self, arm: Arm) -> str:
        """Returns the name under which an arm's study is kept."""
        return f"{self.name}/{arm.cell.name}" if arm.cell.axes else self.name
