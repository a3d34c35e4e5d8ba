"""The check of a grid before anything is started, or even imported."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from omegaconf import DictConfig

from src.errors import ConfigError
from src.explanation import describe_error
from src.sweep.application import Application, Checked
from src.sweep.grid import Cell


def check_cells(
    cells: Sequence[Cell], compose: Callable[[Sequence[str]], DictConfig], application: Application
) -> list[Checked]:
    """Returns every cell's configuration.

    Raises:
        ConfigError: Some are not allowed; each is named with its reason.
    """
    configs, problems = [], []
    for cell in cells:
        try:
            configs.append(application.check(compose(cell.overrides)))
        except Exception as error:
            message = describe_error(error)
            if message is None:
                raise
            problems.append(f"{cell.name}: {message}" if len(cells) > 1 else message)
    if problems:
        raise ConfigError("\n".join(problems))
    return configs
