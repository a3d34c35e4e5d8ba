"""What becomes of a trial's job."""

from __future__ import annotations

import pytest

from src.config.sweeper import SweeperConfig
from src.errors import ConfigError, StudyError
from src.sweep.failures import FailurePolicy
from src.sweep.job import to_outcome


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
    assert FailurePolicy(SweeperConfig(retries=1), planned=4, failed=0).wants_retry(outcome, 1) is again
