"""Searches whose trials fail in every way there is: they go on, and tell each way from the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.artifacts import load_text
from mlflow.entities import Run

from src.sweep.failures import MAX_DEATHS
from tests.sweep.site import MISBEHAVING, Answer, Site, check_books

#: Ways to misbehave: the states of their attempts, and what is said of the last of those that failed.
WAYS = {
    "well": (["complete"], None),
    "diverge": (["diverged"], "The objective value is nan."),
    "raise": (["failed", "failed"], "ValueError: x is 0.0"),
    "exit": (["failed", "failed"], "SystemExit: 3"),
    "unpicklable": (["failed", "failed"], "UnpicklableError: it cannot be pickled"),
    "memory": (["oom", "oom"], "MemoryError"),
    "hang": (["timeout", "timeout"], "took longer than 4 s"),
    "kill-once": (["lost", "complete"], "was killed by SIGKILL"),
    "leave-once": (["lost", "complete"], "ended with exit code 0"),
}

#: No failure is one too many.
LENIENT = ("hydra.sweeper.max_consecutive_failures=null", "hydra.sweeper.max_failure_rate=null")


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Iterator[tuple[Site, Answer]]:
    """A search that tries each way to misbehave once, and once more where that may help."""
    site = Site(tmp_path_factory.mktemp("failures"), migrated_database)
    settings = ["hydra.sweeper.sampler=grid", "hydra.sweeper.trial_timeout=4", "hydra.sweeper.retries=1", *LENIENT]
    slots = ["hydra/launcher=fitgap", "hydra.sweeper.n_jobs=2", "hydra.launcher.memory_limit_gb=20"]
    yield site, site.run(MISBEHAVING, f"how=choice({','.join(WAYS)})", *slots, *settings)
    site.close()


def test_a_search_goes_on_whatever_its_trials_do(failures: tuple[Site, Answer]) -> None:
    site, answer = failures
    assert answer.code == 0, answer.output
    check_books(site, len(WAYS))
    assert site.parent().data.tags["fitgap.state"] == "complete"


@pytest.mark.parametrize("how", WAYS)
def test_each_way_to_fail_is_told_from_the_others(how: str, failures: tuple[Site, Answer]) -> None:
    site, answer = failures
    states, error = WAYS[how]
    trials = [trial for trial in site.trials() if trial.values["how"] == how]
    assert [trial.state for trial in trials] == states
    runs = {int(run.data.tags["fitgap.trial_number"]): run for run in site.children()}
    for trial in trials:
        run = runs[trial.number]
        assert run.data.tags["fitgap.state"] == trial.state
        assert run.data.params["how"] == how
        if trial.state == "complete":
            assert trial.error is None
            continue
        assert error is not None
        assert error in (trial.error or "")
        assert error in run.data.tags["fitgap.error"]
        assert error in answer.words or "will be run again" in answer.words
        if trial.state not in ("diverged", "lost"):
            assert "Traceback" in read_traceback(site, run)
        else:
            assert error in read_traceback(site, run)


def read_traceback(site: Site, run: Run) -> str:
    (place,) = {artifact for artifact in site.artifacts(run) if artifact == "traceback.txt"}
    return str(load_text(f"{run.info.artifact_uri}/{place}"))


@pytest.mark.slow
def test_a_trial_that_does_not_hear_its_alarm_is_killed_half_a_minute_later(
    tmp_path: Path, migrated_database: Path
) -> None:
    site = Site(tmp_path, migrated_database)
    settings = ["hydra.sweeper.trial_timeout=1", "hydra.sweeper.retries=0", "hydra.sweeper.n_trials=1", *LENIENT]
    answer = site.run(MISBEHAVING, "x=interval(0,1)", "how=deaf", "hydra/launcher=fitgap", *settings)
    assert answer.code == 0, answer.output
    check_books(site, 1)
    (trial,) = site.trials()
    assert trial.state == "timeout"
    assert "was killed after 31 seconds" in (trial.error or "")
    site.close()


@pytest.mark.slow
def test_a_trial_that_kills_its_process_each_time_fails_in_the_end(tmp_path: Path, migrated_database: Path) -> None:
    site = Site(tmp_path, migrated_database)
    settings = ["hydra.sweeper.sampler=grid", *LENIENT]
    answer = site.run(MISBEHAVING, "how=choice(kill,well)", "hydra/launcher=fitgap", *settings)
    assert answer.code == 0, answer.output
    states = [trial.state for trial in site.trials() if trial.values["how"] == "kill"]
    assert states == ["lost"] * MAX_DEATHS
    assert {run.info.status for run in site.children()} == {"KILLED", "FINISHED"}
    site.close()
