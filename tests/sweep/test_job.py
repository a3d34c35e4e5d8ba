"""What becomes of a trial's job."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from src.config.sweeper import SweeperConfig
from src.errors import ConfigError, StudyError
from src.naming import MAX_NAME_LENGTH
from src.study.spec import Ask
from src.sweep.failures import FailurePolicy
from src.sweep.job import Trial, to_outcome
from tests.sweep.searches import make_search


@pytest.mark.parametrize(
    ("error", "text", "again"),
    [
        (StudyError("the storage is away"), "StudyError: the storage is away", True),
        (ConfigError("x must be below 1"), "ConfigError: x must be below 1", False),
        (RuntimeError("no"), "RuntimeError: no", True),
    ],
)
def test_a_wrong_configuration_alone_is_not_run_again(error: Exception, text: str, again: bool) -> None:
    outcome = to_outcome(error)
    assert (outcome.state, outcome.error) == ("failed", text)
    assert FailurePolicy(SweeperConfig(retries=1), planned=4, failed=0).wants_retry(outcome, 1, 0) is again


def make_trial(folder: Path, values: dict[str, Any], *arguments: str) -> Trial:
    """Makes up a trial of the first arm of a search."""
    arm = make_search(folder, *arguments).arms[0]
    return Trial(arm, cast(Any, None), Ask(3, 7, values, (), 1), (), folder, "3")


def test_a_trials_run_is_named_by_its_number_and_its_values(tmp_path: Path) -> None:
    trial = make_trial(tmp_path, {"model.dropout": 0.2684, "optimizer.learning_rate": 0.00383}, "seed=1")
    assert trial.run_name == "#3: dropout=0.268, learning_rate=0.00383"
    assert make_trial(tmp_path, {}, "seed=1").run_name == "#3"


def test_where_there_are_arms_the_name_of_a_run_begins_with_its_own(tmp_path: Path) -> None:
    trial = make_trial(tmp_path, {"model.dropout": 0.5}, "optimizer=adam,sgd")
    assert trial.run_name == "optimizer=adam #3: dropout=0.5"


def test_a_name_is_never_longer_than_what_mlflow_shows(tmp_path: Path) -> None:
    assert len(make_trial(tmp_path, {f"key{index}": 0.5 for index in range(30)}, "seed=1").run_name) == MAX_NAME_LENGTH
