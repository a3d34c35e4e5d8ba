"""The sweeper's settings as a whole: which of them belong together."""

from __future__ import annotations

import pytest

from src.errors import ConfigError
from src.study.objective import Objective, Objectives
from src.sweep.settings import check_search, to_sweeper_config

ACCURACY = Objectives((Objective("best_val_accuracy", "maximize"),))


def check(**settings: object) -> None:
    """Checks settings of a search for one objective."""
    check_search(ACCURACY, to_sweeper_config(settings), None)


def test_a_pruner_is_checked_with_its_arguments() -> None:
    check(pruner="median", pruner_kwargs={"n_warmup_steps": 3})
    with pytest.raises(ConfigError, match="n_warmup_stpes"):
        check(pruner="median", pruner_kwargs={"n_warmup_stpes": 3})


def test_the_pruner_of_a_sweeps_file_can_be_switched_off_although_its_arguments_are_still_there() -> None:
    check(pruner="none", pruner_kwargs={"n_warmup_steps": 3})


def test_arguments_without_a_pruner_that_they_are_for_are_refused() -> None:
    check(pruner="auto")
    with pytest.raises(ConfigError, match=r"n_warmup_steps, but hydra\.sweeper\.pruner is auto"):
        check(pruner="auto", pruner_kwargs={"n_warmup_steps": 3})


def test_an_unknown_pruner_is_refused() -> None:
    with pytest.raises(ConfigError, match="medain"):
        check(pruner="medain")
