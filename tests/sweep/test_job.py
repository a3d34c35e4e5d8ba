"""What becomes of a trial's job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hydra.core.utils import JobStatus

from src.config.sweeper import SweeperConfig
from src.ending import STATUSES
from src.errors import ConfigError, StudyError
from src.gpus.lease import Lease
from src.naming import MAX_NAME_LENGTH
from src.study.outcome import Outcome
from src.study.owner import Owner
from src.study.spec import Ask
from src.study.study import ArmStudy
from src.study.view import TrialView
from src.sweep.failures import FailurePolicy
from src.sweep.job import JobRunner, Trial, to_outcome
from src.sweep.launching import Launching
from src.tracking.records import load_run
from src.tracking.run import start_run
from src.workers.answer import SlotReturn, fail_job
from src.workers.errors import JobGivenUpError, WorkerDiedError
from tests.sweep.searches import make_search

if TYPE_CHECKING:
    from src.tracking.store import Store
    from tests.sweep.searches import Opener


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


@dataclass
class Workers:
    """Stands for worker processes: ends each job as it is told, the first of them with a lease."""

    store: Store
    parent_run_id: str
    study: ArmStudy
    lease: Lease | None
    ends: list[str]
    alone: list[Lease] = field(default_factory=list)
    run_ids: list[str] = field(default_factory=list)

    def end_job(self, overrides: Sequence[str], number: int) -> SlotReturn:
        state, tags = self.ends.pop(0), {"fitgap.arm": "mine", "fitgap.trial_number": str(number)}
        if state in ("dead", "dead-later"):
            if state == "dead-later":
                # It has gone on with the run of the attempt before it.
                self.study.set_run_id(number, self.run_ids[0])
            return fail_job(overrides, WorkerDiedError("It is gone."))
        run = start_run(self.store, name=state, tags={**tags, "fitgap.state": state}, parent_run_id=self.parent_run_id)
        run.finish(STATUSES[state])
        self.run_ids.append(run.run_id)
        self.study.set_run_id(number, run.run_id)
        error = None if state == "complete" else "ResourceExhaustedError: too much"
        outcome = Outcome(state, {"best_val_accuracy": 0.5}, error, run_id=run.run_id)
        result = SlotReturn(list(overrides), status=JobStatus.COMPLETED, lease=self.lease)
        result.return_value = outcome.to_dict()
        return result

    def run_alone(self, overrides: Sequence[str], number: int, lease: Lease, wanted: Callable[[], bool]) -> SlotReturn:
        if not wanted():
            raise JobGivenUpError("It has not begun.")
        self.alone.append(lease)
        return self.end_job(overrides, number)


def run_trial(
    stage: Opener, lease: Lease | None, *ends: str, ending: bool = False
) -> tuple[Outcome, Workers, TrialView]:
    """Runs a trial whose jobs end as given, and returns what came of it."""
    opened = stage("seed=1", objective="best_val_accuracy", direction="maximize")
    search, study = opened.search, opened.studies[0]
    workers = Workers(opened.store, opened.parent.run_id, study, lease, list(ends))
    launching = Launching(workers.end_job, 2, inline=False, remark=None, launcher=SimpleNamespace(workers=workers))
    runner = JobRunner(search.settings, search.application, launching, opened.store, opened.parent.run_id, "sqlite://")
    runner.ending = ending
    ask = study.ask(Owner.current())
    assert ask is not None
    outcome = runner.run(Trial(search.arms[0], study, ask, (), search.folder / "0", "0"))
    return outcome, workers, study.view(ask.number)


def test_a_trial_that_ran_out_of_memory_beside_others_is_run_again_alone_as_the_same_trial(
    stage: Opener, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    lease = Lease("3", 2)
    outcome, workers, view = run_trial(stage, lease, "oom", "complete")
    assert (outcome.state, outcome.run_id, outcome.hopeless) == ("complete", workers.run_ids[1], False)
    assert (workers.alone, workers.ends) == ([lease], [])
    assert view.out_of_memory == "ResourceExhaustedError: too much"
    first, second = (load_run(store, run_id) for run_id in workers.run_ids)
    assert (first.status, first.tags["fitgap.retried"]) == ("FAILED", "true")
    assert (second.status, second.tags["fitgap.out_of_memory"]) == ("FINISHED", "ResourceExhaustedError: too much")
    assert caplog.messages[0].endswith("ran out of memory with 1/2 of GPU 3: ResourceExhaustedError: too much")


def test_a_second_attempt_that_dies_before_its_run_begins_leaves_the_run_of_the_first_as_it_is(
    stage: Opener, store: Store
) -> None:
    outcome, workers, view = run_trial(stage, Lease("3", 2), "oom", "dead")
    assert (outcome.state, outcome.run_id, view.run_id) == ("lost", None, None)
    (run_id,) = workers.run_ids
    first = load_run(store, run_id)
    assert (first.status, first.tags["fitgap.state"], first.tags["fitgap.retried"]) == ("FAILED", "oom", "true")


def test_a_second_attempt_that_dies_in_the_run_of_the_first_has_it_closed(stage: Opener, store: Store) -> None:
    outcome, workers, view = run_trial(stage, Lease("3", 2), "oom", "dead-later")
    (run_id,) = workers.run_ids
    assert (outcome.state, outcome.run_id, view.run_id) == ("lost", run_id, run_id)
    first = load_run(store, run_id)
    assert (first.status, first.tags["fitgap.state"]) == ("KILLED", "lost")


def test_a_trial_that_is_to_be_run_alone_when_its_search_ends_is_left_to_the_next_search(stage: Opener) -> None:
    outcome, workers, view = run_trial(stage, Lease("3", 2), "oom", "complete", ending=True)
    assert (outcome.state, outcome.run_id, view.run_id) == ("interrupted", None, None)
    assert (workers.alone, workers.ends) == ([], ["complete"])
    assert FailurePolicy(SweeperConfig(retries=0), planned=4, failed=0).wants_retry(outcome, 1, 0)


def test_it_has_failed_for_good_if_it_runs_out_of_memory_with_the_whole_gpu(stage: Opener) -> None:
    outcome, workers, _ = run_trial(stage, Lease("3", 2), "oom", "oom")
    assert (outcome.state, workers.ends) == ("oom", [])
    assert not FailurePolicy(SweeperConfig(retries=3), planned=4, failed=0).wants_retry(outcome, 1, 0)


@pytest.mark.parametrize("lease", [None, Lease("3")])
def test_a_trial_that_was_alone_on_its_gpu_or_had_none_is_not_run_again_at_once(
    lease: Lease | None, stage: Opener
) -> None:
    outcome, workers, view = run_trial(stage, lease, "oom", "complete")
    assert (outcome.state, workers.alone, workers.ends) == ("oom", [], ["complete"])
    assert view.out_of_memory is None


def test_a_trial_that_failed_otherwise_beside_others_is_not_run_again_at_once(stage: Opener) -> None:
    outcome, workers, _ = run_trial(stage, Lease("3", 2), "failed", "complete")
    assert (outcome.state, workers.ends) == ("failed", ["complete"])
