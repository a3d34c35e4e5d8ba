"""What is run again, and when failures end a search."""

from __future__ import annotations

import pytest

from src.config.sweeper import SweeperConfig
from src.study.outcome import Outcome
from src.sweep.failures import MAX_ATTEMPTS, MAX_DEATHS, FailurePolicy


def policy(planned: int = 10, failed: int = 0, **settings: object) -> FailurePolicy:
    """A policy with some settings of `hydra.sweeper`."""
    return FailurePolicy(SweeperConfig(**settings), planned, failed)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["failed", "oom", "timeout"])
def test_a_failed_trial_is_run_again_as_often_as_configured(state: str) -> None:
    outcome = Outcome(state, {}, "RuntimeError: no")
    assert [policy(retries=2).wants_retry(outcome, 5, failures) for failures in (0, 1, 2)] == [True, True, False]
    assert not policy(retries=0).wants_retry(outcome, 1, 0)


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome("complete", {"value": 1.0}),
        Outcome("pruned", {}),
        Outcome("diverged", {}, "DivergedError: NaN"),
        Outcome("failed", {}, "ConfigError: model.dropout must be below 1, but got 2."),
    ],
)
def test_what_would_end_the_same_way_is_not_run_again(outcome: Outcome) -> None:
    assert not policy(retries=3).wants_retry(outcome, 1, 0)


def test_a_lost_trial_is_run_again_even_without_retries_but_not_for_ever() -> None:
    lost = Outcome("lost", {}, "WorkerDiedError: killed")
    assert policy(retries=0).wants_retry(lost, MAX_DEATHS, 0)
    assert not policy(retries=0).wants_retry(lost, MAX_DEATHS, MAX_DEATHS - 1)


def test_failures_in_a_row_end_a_search_unless_one_succeeds_in_between() -> None:
    row = policy(planned=100, max_consecutive_failures=2)
    for state in ("failed", "complete", "oom"):
        row.count(Outcome(state, {}, "reason"), "trial")
    assert row.find_end() is None
    row.count(Outcome("diverged", {}, "NaN"), "arm #4")
    assert "2 trials failed one after another" in str(row.find_end())
    assert row.reasons[-1] == "arm #4: diverged: NaN"


def test_the_rate_of_failures_is_that_of_the_whole_study_also_across_restarts() -> None:
    rate = policy(planned=10, failed=5, max_failure_rate=0.5)
    assert rate.find_end() is None
    rate.count(Outcome("failed", {}, "reason"), "trial")
    assert "6 of 10 planned trials failed" in str(rate.find_end())


def test_limits_that_are_null_never_end_a_search() -> None:
    endless = policy(planned=1, failed=50, max_consecutive_failures=None, max_failure_rate=None)
    for _ in range(20):
        endless.count(Outcome("failed", {}, "reason"), "trial")
    assert endless.find_end() is None


def test_a_trial_that_ends_its_own_sweep_is_not_begun_for_ever() -> None:
    interrupted = Outcome("interrupted", {}, "KeyboardInterrupt")
    assert policy(retries=0).wants_retry(interrupted, MAX_ATTEMPTS - 1, 0)
    assert not policy(retries=0).wants_retry(interrupted, MAX_ATTEMPTS, 0)
