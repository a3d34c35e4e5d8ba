"""The winner's configuration, as a file that the program runs as it is."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from src.config.composition import drop_schedule
from src.errors import StorageError
from src.sweep.program import name_program
from src.sweep.resolution import resolve

#: Name of the file, without its ending: Hydra's name of the configuration in it.
CONFIG_NAME = "winner"

#: Keys with which the sweeper told the trial its place: a run of its own has none.
_PLACE_KEYS = ("kind", "parent_run_id", "experiment_id", "arm", "trial_number", "run_name")


def write_winner(config: DictConfig, *, extends: str, facts: Mapping[str, str], path: Path) -> Path:
    """Writes the configuration of a trial as a primary configuration of its own.

    It chooses the same options of all groups and then sets every value, so that the schemas check it as they check any
    other, and values can be overridden.

    Args:
        config: The trial's configuration as Hydra has composed it, with `hydra`.
        extends: Name of the primary configuration of the application.
        facts: What the reader should know of it, such as the trial's number and value.
        path: Where to write it; the file's name without its ending is the configuration's.

    Raises:
        StorageError: The file cannot be written.
    """
    choices = OmegaConf.to_container(config.hydra.runtime.choices)
    assert isinstance(choices, dict)
    defaults: list[Any] = [extends]
    for group, option in ((str(key), value) for key, value in choices.items()):
        # A file of `sweeps` says what to search, and nothing is searched any more.
        if option is not None and group != "sweeps" and not group.startswith("hydra/"):
            defaults.append({f"override {group}": option})
    text = OmegaConf.to_yaml(OmegaConf.create({"defaults": [*defaults, "_self_"]}))
    text = f"{_write_head(facts)}\n{text}\n{OmegaConf.to_yaml(_resolve(config))}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"The winner's configuration cannot be written to {path}: {error.strerror}.") from error
    return path


def winner_command(folder: Path | None, overrides: Sequence[str] = ()) -> str:
    """Returns the command that runs the winner's configuration; without a folder it says `FOLDER`."""
    place = "FOLDER" if folder is None else shlex.quote(str(folder))
    return " ".join([name_program(), "--config-dir", place, "--config-name", CONFIG_NAME, *overrides])


def _resolve(config: DictConfig) -> DictConfig:
    # As a plain mapping: what is left of the schemas are their values.
    plain = OmegaConf.create(resolve(drop_schedule(config)))
    tracking = plain.get("tracking")
    if isinstance(tracking, DictConfig):
        for key in _PLACE_KEYS:
            tracking.pop(key, None)
    return plain


def _write_head(facts: Mapping[str, str]) -> str:
    lines = [
        *(f"{name}: {' '.join(value.split())}" for name, value in facts.items()),
        f"{winner_command(None)}   (FOLDER is where this file lies)",
    ]
    return "\n".join(
        textwrap.fill(line, 118, initial_indent="# ", subsequent_indent="#   ", break_long_words=False)
        for line in lines
    )
