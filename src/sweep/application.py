"""What a sweep needs to know of the application whose runs it starts: the seam between the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hydra.types import TaskFunction
from omegaconf import DictConfig

from src.config.run import RunConfig
from src.errors import ConfigError


@dataclass(frozen=True)
class Preparation:
    """What was found when the runs of a sweep were prepared.

    Attributes:
        overrides: For each configuration the overrides that its run gets besides its own, because of what was found.
        warnings: What the person who started the sweep should know.
    """

    overrides: list[list[str]]
    warnings: list[str]


class Application(Protocol):
    """An application that can be swept."""

    def check(self, config: DictConfig) -> RunConfig:
        """Returns a cell's configuration, checked.

        Raises:
            ConfigError: A value is not allowed.
        """
        ...

    def prepare(self, configs: Sequence[RunConfig]) -> Preparation:
        """Fetches once what the runs share, before the first of them starts.

        Raises:
            FitgapError: Something cannot be had, so that no run needs to start.
        """
        ...

    def measure_test(self, config: RunConfig, run_id: str) -> dict[str, float]:
        """Returns the test metrics of a finished run, by metric key; nothing where there is no test split.

        Raises:
            FitgapError: The run's model cannot be had.
        """
        ...


#: Name of the task function's attribute that holds its `Application`.
_ATTRIBUTE = "fitgap_application"


def sweepable(application: Application) -> Callable[[TaskFunction], TaskFunction]:
    """Decorates a Hydra task function, beneath `hydra.main`, so that a sweep can check and prepare its runs."""

    def decorate(task_function: TaskFunction) -> TaskFunction:
        setattr(task_function, _ATTRIBUTE, application)
        return task_function

    return decorate


def find_application(task_function: TaskFunction) -> Application:
    """Returns the application of a task function.

    Raises:
        ConfigError: It was not decorated with `sweepable`.
    """
    application: Application | None = getattr(task_function, _ATTRIBUTE, None)
    if application is None:
        raise ConfigError(
            f"{task_function!r} cannot be swept by hydra/sweeper=fitgap: decorate it with @sweepable(…) beneath "
            "@hydra.main(…), or choose hydra/sweeper=basic."
        )
    return application
