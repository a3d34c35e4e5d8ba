"""The arms of a search: each cell of the grid with its search space, checked before anything is started."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, IntegerNode, OmegaConf

from src.config.sweeper import SweeperConfig
from src.errors import ConfigError
from src.explanation import describe_error
from src.study.space import Dimension, SearchSpace, parse_space
from src.sweep.application import Application, Checked
from src.sweep.grid import Cell

Compose = Callable[[Sequence[str]], DictConfig]


@dataclass(frozen=True)
class Arm:
    """One study of a search: a cell of the grid, and what is searched in it.

    Attributes:
        cell: The cell.
        checked: Its configuration, with the searched keys as they are without a search.
        space: What is searched.
        fixed: The cell's choices and values as text by key; conditions of the search space refer to them.
        defaults: The configuration's own values of the searched keys, as far as it has them.
    """

    cell: Cell
    checked: Checked
    space: SearchSpace
    fixed: dict[str, str]
    defaults: dict[str, Any]

    @property
    def name(self) -> str:
        """What distinguishes it from the other arms; `trial` where there is no other."""
        return self.cell.name if self.cell.axes else "trial"


def build_arms(
    cells: Sequence[Cell],
    searched: Sequence[Override],
    settings: SweeperConfig,
    compose: Compose,
    application: Application,
) -> list[Arm]:
    """Composes every arm, and tries the ends of every interval and every choice in it.

    Raises:
        ConfigError: An arm, or an end of its search space, is not allowed; all such are listed.
    """
    arms: list[Arm] = []
    problems: list[str] = []
    for cell in cells:
        prefix = f"{cell.name}: " if len(cells) > 1 else ""
        try:
            arm = _build_arm(cell, searched, settings, compose, application)
            problems += [f"{prefix}{problem}" for problem in _try_ends(arm, compose, application)]
            arms.append(arm)
        except Exception as error:
            message = describe_error(error)
            if message is None:
                raise
            problems.append(f"{prefix}{message}")
    if problems:
        # What is wrong with the search space is mostly wrong in all arms, and need be said once.
        raise ConfigError("\n".join(dict.fromkeys(problems)))
    return arms


def check_point(arm: Arm, values: Mapping[str, Any], compose: Compose, application: Application) -> str | None:
    """Returns what is wrong with a point of an arm's search space once it is composed; None if nothing is."""
    try:
        application.check(compose([*arm.cell.overrides, *arm.space.to_overrides(values)]))
    except Exception as error:
        message = describe_error(error)
        if message is None:
            raise
        return message
    return None


def _build_arm(
    cell: Cell, searched: Sequence[Override], settings: SweeperConfig, compose: Compose, application: Application
) -> Arm:
    config = compose(cell.overrides)
    checked = application.check(config)
    types = {override.get_key_element(): _find_type(config, override.get_key_element()) for override in searched}
    space = parse_space(searched, settings.conditions, {key: kind for key, kind in types.items() if kind is not None})
    repeats = settings.seeds or settings.repeat_winner
    if repeats and OmegaConf.select(config, settings.seed_key, default=None) is None:
        raise ConfigError(
            f"hydra.sweeper.seed_key={settings.seed_key} is no key of the configuration, so that no run can be "
            "repeated with another seed. Name the key that takes the seed."
        )
    choices = OmegaConf.to_container(config.hydra.runtime.choices)
    assert isinstance(choices, dict)
    fixed = {**checked.settings, **{str(key): str(value) for key, value in choices.items()}, **cell.axes}
    defaults = {dimension.key: _find_default(config, choices, dimension.key) for dimension in space.dimensions}
    return Arm(cell, checked, space, fixed, {key: value for key, value in defaults.items() if value is not None})


def _find_type(config: DictConfig, key: str) -> type | None:
    """Returns int where the configuration's schema says that a key holds a whole number."""
    parent, _, name = key.lstrip("+").rpartition(".")
    block = OmegaConf.select(config, parent) if parent else config
    node = block._get_node(name) if isinstance(block, DictConfig) and name in block else None
    return int if isinstance(node, IntegerNode) else None


def _find_default(config: DictConfig, choices: Mapping[Any, Any], key: str) -> Any:
    key = key.lstrip("+")
    # Arms may differ in what they have: an optimizer without momentum has no value for it.
    value = choices[key] if key in choices else OmegaConf.select(config, key, throw_on_missing=False, default=None)
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def _try_ends(arm: Arm, compose: Compose, application: Application) -> list[str]:
    problems = []
    for dimension in arm.space.dimensions:
        if not _is_possible(dimension, arm):
            continue
        for value in _list_ends(dimension):
            problem = check_point(arm, {dimension.key: value}, compose, application)
            if problem is not None:
                problems.append(f"{dimension.key}={dimension.text} can become {value}: {problem}")
                break
    return problems


def _is_possible(dimension: Dimension, arm: Arm) -> bool:
    """Whether a dimension's condition holds for the arm as it is, without any other searched value."""
    if dimension.condition is None:
        return True
    key, value = dimension.condition
    return arm.fixed.get(key) == value


def _list_ends(dimension: Dimension) -> list[Any]:
    """Returns the two ends of what is a number, and all values of what is a choice."""
    low, high = (getattr(dimension.distribution, name, None) for name in ("low", "high"))
    return list(dimension.values()) if low is None else [low, high]
