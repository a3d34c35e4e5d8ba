"""What a sweep needs to know of the application whose runs it starts: the seam between the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hydra.types import TaskFunction
from omegaconf import DictConfig

from src.config.tracking import TrackingConfig


@dataclass(frozen=True)
class Checked:
    """A configuration that was found right.

    Attributes:
        config: The application's own form of it.
        tracking: Where its runs are recorded.
        subject: What it is about, in a word; the name of the data set.
        settings: All that decides how a run of it goes, as text by key; a study goes on only while it is the same.
        steps: How often a run of it reports to its search, unless it is stopped; None where that is not known.
        folders: Where its runs write to besides the stores, absolute.
    """

    config: Any
    tracking: TrackingConfig
    subject: str
    settings: dict[str, str]
    steps: int | None = None
    folders: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Preparation:
    """What was found when the runs of a sweep were prepared.

    Attributes:
        overrides: For each configuration the overrides that its run gets besides its own, because of what was found.
        warnings: What the person who started the sweep should know.
        facts: For each configuration what it found, such as the content of its data set, as text by key.
    """

    overrides: list[list[str]]
    warnings: list[str]
    facts: list[dict[str, str]]


@dataclass(frozen=True)
class Place:
    """The place of a run in its sweep.

    Attributes:
        experiment: MLflow's experiment, by name.
        experiment_id: Its id.
        parent_run_id: The run under which it appears.
        arm: What distinguishes it, or its study, within the sweep.
        number: Its number within the grid or the study.
        run_name: Its name, where it is not that of the arm.
        kind: What it is, where it is no trial of its own: `seed` for one training of a trial that has several,
            `repetition` for one of a trial that is over.
    """

    experiment: str
    experiment_id: str
    parent_run_id: str
    arm: str
    number: int
    run_name: str | None = None
    kind: str | None = None


class Application(Protocol):
    """An application that can be swept."""

    @property
    def records_runs(self) -> bool:
        """Whether each of its runs records itself in the tracking store, at the place it is given."""
        ...

    @property
    def preload(self) -> Sequence[str]:
        """What a worker process imports before it has a run: modules, or functions as `module:function`."""
        ...

    @property
    def metrics(self) -> frozenset[str] | None:
        """The metrics that its runs come to, of which one can be the objective; None where that is not known."""
        ...

    def check(self, config: DictConfig) -> Checked:
        """Returns a composed configuration, checked.

        Raises:
            ConfigError: A value is not allowed.
        """
        ...

    def prepare(self, configs: Sequence[Checked]) -> Preparation:
        """Fetches once what the runs share, before the first of them starts.

        Raises:
            FitgapError: Something cannot be had, so that no run needs to start.
        """
        ...

    def place(self, place: Place) -> list[str]:
        """Returns the overrides that tell a run its place."""
        ...

    def measure_test(self, config: Checked, run_id: str) -> dict[str, float]:
        """Returns the test metrics of a finished run, by metric key; nothing where there is no test split.

        Raises:
            FitgapError: The run's model cannot be had.
        """
        ...


#: Name of the task function's attribute that holds its `Application`.
_ATTRIBUTE = "fitgap_application"
#: Name of the one that holds what a worker process imports ahead; `hydra_plugins/fitgap_launcher` reads it.
_PRELOAD_ATTRIBUTE = "fitgap_preload"


def sweepable(application: Application) -> Callable[[TaskFunction], TaskFunction]:
    """Decorates a Hydra task function, beneath `hydra.main`, so that a sweep can check and prepare its runs."""

    def decorate(task_function: TaskFunction) -> TaskFunction:
        setattr(task_function, _ATTRIBUTE, application)
        setattr(task_function, _PRELOAD_ATTRIBUTE, tuple(application.preload))
        return task_function

    return decorate


def find_application(task_function: TaskFunction) -> Application | None:
    """Returns the application of a task function; None where it was not decorated with `sweepable`."""
    application: Application | None = getattr(task_function, _ATTRIBUTE, None)
    return application
