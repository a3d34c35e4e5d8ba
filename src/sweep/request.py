"""What the command line asks for: arms from its lists, a search space from its intervals, choices and ranges."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from src.config.sweeper import SweeperConfig
from src.errors import ConfigError
from src.study.space import is_searched
from src.sweep.grid import Cell, expand_grid

#: A search within a list or a mapping, which Hydra's parser lets pass.
_NESTED = re.compile(r"=\s*[\[{].*\b(interval|range|choice|glob|tag)\(")

#: Groups that describe the sweep itself, so that there is nothing to compare between two of their options.
_NOT_SWEPT = ("sweeps", "hydra/sweeper", "hydra/launcher")


@dataclass(frozen=True)
class Request:
    """What a sweep is asked to do, before anything is composed.

    Attributes:
        cells: The grid of what is listed: one run each, or where keys are searched one study each.
        searched: The overrides of the keys that are searched, in the order in which they were given.
    """

    cells: list[Cell]
    searched: list[Override]

    @property
    def axes(self) -> dict[str, list[str]]:
        """The grid's axes: the values of each key, in the order of the command line."""
        axes: dict[str, dict[str, None]] = {}
        for cell in self.cells:
            for key, value in cell.axes.items():
                axes.setdefault(key, {})[value] = None
        return {key: list(values) for key, values in axes.items()}


def read_request(arguments: Sequence[str], settings: SweeperConfig, parser: OverridesParser) -> Request:
    """Divides the command line and `hydra.sweeper.params` into arms and searched keys.

    Raises:
        ConfigError: A list holds a value twice, or lists what cannot be listed.
        hydra.errors.OverrideParseException: A text is no override.
    """
    given = {override.get_key_element() for override in parser.parse_overrides(list(arguments))}
    params = [line for key, line in _write_params(settings.params).items() if key not in given]
    # The command line comes last: it has the last word.
    overrides = {override.get_key_element(): override for override in parser.parse_overrides([*params, *arguments])}
    for key, override in overrides.items():
        if override.is_sweep_override() and key in _NOT_SWEPT:
            raise ConfigError(f"{override.input_line} lists several, but a command runs one. Start one for each.")
        if override.is_sweep_override() and key.startswith("hydra."):
            raise ConfigError(f"{override.input_line} cannot be listed or searched: it is no setting of a run.")
        if not override.is_sweep_override() and _NESTED.search(override.input_line or ""):
            raise ConfigError(
                f"{override.input_line} searches a part of a value. Search the value as a whole, such as {key}="
                "choice([1,2],[3,4])."
            )
    searched = [override for override in overrides.values() if is_searched(override)]
    rest = [override for override in overrides.values() if not is_searched(override)]
    return Request(expand_grid(rest), searched)


def _write_params(params: Mapping[str, Any]) -> dict[str, str]:
    return {key: f"{key}={_write_value(value)}" for key, value in params.items()}


def _write_value(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        # As elsewhere in YAML a list in `params` names the values to compare.
        return ",".join(_write_value(element) for element in value)
    return str(value)
