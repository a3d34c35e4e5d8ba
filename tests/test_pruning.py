"""Trainings that a search ends: pruned, out of time or given up, as they stand in a real study and a real store."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import optuna
import pytest

from src.analysis.overfitting import compute_metrics
from src.config.run import RunConfig
from src.history import EPOCH_METRICS, EpochMetrics, History
from src.pruning import OBJECTIVE_METRICS, TrialObserver
from src.runtime import begin_run
from src.study.address import sqlite_url
from src.study.reporting import begin_trial
from src.study.storage import close_storage, open_storage
from src.study.ticket import Ticket
from src.training.progress import Step, TrainingObserver
from tests.tiny import TINY
from tests.trial_jobs import Ended, begin_job, execute_job, place_store

Begin = Callable[..., Ticket]

# MLflow's own, while it is imported to save a model.
pytestmark = pytest.mark.filterwarnings("ignore:.*type hint:UserWarning")


@pytest.fixture(autouse=True)
def _float32() -> Iterator[None]:
    """Leaves no precision behind for the next test."""
    yield
    begin_run(seed=0, precision="float32", deterministic=False)


@pytest.fixture
def study(tmp_path: Path) -> Iterator[optuna.Study]:
    """A study in which three trials were perfect from their second epoch on."""
    storage = open_storage(sqlite_url(tmp_path / "optuna.db"))
    study = optuna.create_study(study_name="study", storage=storage, direction="maximize")
    for _ in range(3):
        values = {1: 0.0, 2: 1.0, 3: 1.0, 4: 1.0}
        study.add_trial(optuna.trial.create_trial(value=1.0, intermediate_values=values))
    yield study
    close_storage(storage)


@pytest.fixture
def begin(study: optuna.Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """Makes this process the job of a new trial of the study, which the median prunes from the first epoch on."""
    return lambda **changes: begin_job(study, tmp_path, monkeypatch, **changes)


@pytest.fixture
def train(compose_run: Callable[..., RunConfig], tmp_path: Path) -> Callable[..., Ended]:
    """Runs a tiny training as the trial of this process, as `src.train` does."""

    def execute(*overrides: str, observers: Sequence[TrainingObserver] = ()) -> Ended:
        return execute_job(compose_run(*TINY, *place_store(tmp_path), *overrides), tmp_path, observers)

    return execute


def find_trial(study: optuna.Study, ticket: Ticket) -> optuna.trial.FrozenTrial:
    return study._storage.get_trial(ticket.trial_id)


def test_a_training_that_promises_too_little_is_pruned_and_keeps_its_curves(
    begin: Begin, train: Callable[..., Ended], study: optuna.Study
) -> None:
    ticket = begin()
    ended = train("trainer.epochs=4")

    trial = find_trial(study, ticket)
    assert sorted(trial.intermediate_values) == [1, 2]
    assert trial.user_attrs["fitgap.run_id"] == ended.run.info.run_id
    assert (ended.run.info.status, ended.run.data.tags["fitgap.state"]) == ("KILLED", "pruned")
    assert "fitgap.error" not in ended.run.data.tags
    assert ended.run.data.metrics["epochs_run"] == 2
    assert {"history.csv", "curves.png", "config.yaml"} <= ended.artifacts
    assert {"traceback.txt", "confusion_matrix.png", "worst_predictions.png"} & ended.artifacts == set()
    assert "test_accuracy" not in ended.run.data.metrics
    assert ended.models == []
    assert (ended.outcome.state, ended.outcome.error) == ("pruned", None)
    assert ended.outcome.metrics["best_val_accuracy"] == trial.intermediate_values[2]
    assert "tiny: pruned at epoch 2 of 4" in ended.said
    assert "tiny: pruned\n" in ended.said


def test_a_training_that_does_as_well_as_the_others_is_complete_and_reports_every_epoch(
    begin: Begin, train: Callable[..., Ended], study: optuna.Study
) -> None:
    ticket = begin(pruner="threshold", pruner_kwargs={"lower": 0.0})
    ended = train("trainer.epochs=3")
    trial = find_trial(study, ticket)
    assert list(trial.intermediate_values) == [1, 2, 3]
    assert (ended.run.info.status, ended.run.data.tags["fitgap.state"]) == ("FINISHED", "complete")
    assert ended.outcome.state == "complete"
    assert ended.outcome.metrics["best_val_accuracy"] == trial.intermediate_values[3]
    assert "pruned" not in ended.said


def test_a_training_is_not_pruned_after_its_last_epoch(begin: Begin, train: Callable[..., Ended]) -> None:
    begin()
    ended = train("trainer.epochs=2", "tracking.keep_models=4")
    assert ended.outcome.state == "complete"
    assert "confusion_matrix.png" in ended.artifacts
    assert len(ended.models) == 1


def test_a_training_keeps_no_model_that_enough_others_have_beaten(begin: Begin, train: Callable[..., Ended]) -> None:
    begin(pruner="none", pruner_kwargs={})
    ended = train("tracking.keep_models=3")
    assert ended.outcome.state == "complete"
    assert ended.models == []
    assert {"curves.png", "confusion_matrix.png", "worst_predictions.png"} <= ended.artifacts


def test_all_that_a_search_can_optimize_is_what_a_training_comes_to(begin: Begin, train: Callable[..., Ended]) -> None:
    begin(pruner="none")
    ended = train()
    # Two epochs cannot overfit.
    assert set(ended.outcome.metrics) | {"overfit_epoch"} == {*OBJECTIVE_METRICS, "test_accuracy", "test_loss"}
    assert set(ended.outcome.metrics) == set(ended.run.data.metrics)
    assert ended.outcome.metrics == pytest.approx(ended.run.data.metrics)
    assert set(EPOCH_METRICS) < set(OBJECTIVE_METRICS)
    assert len(set(OBJECTIVE_METRICS)) == len(OBJECTIVE_METRICS)


class Clock:
    """An observer that lets the time of a trial be up soon after its second epoch."""

    def on_step(self, step: Step) -> None:
        pass

    def on_epoch(self, epoch: EpochMetrics) -> None:
        if epoch.epoch == 2:
            signal.setitimer(signal.ITIMER_REAL, 0.02)

    def should_stop(self, history: History) -> bool:
        return False


def test_a_training_that_takes_too_long_ends_as_failed_with_its_curves(
    begin: Begin, train: Callable[..., Ended], study: optuna.Study
) -> None:
    ticket = begin(timeout_seconds=600.0, pruner="none")
    ended = train("trainer.epochs=100000", "optimizer.learning_rate=1e-6", observers=[Clock()])

    assert len(find_trial(study, ticket).intermediate_values) >= 2
    assert (ended.run.info.status, ended.run.data.tags["fitgap.state"]) == ("FAILED", "timeout")
    assert "longer than 600 s" in ended.run.data.tags["fitgap.error"]
    assert {"history.csv", "curves.png", "traceback.txt"} <= ended.artifacts
    assert ended.outcome.state == "timeout"
    assert ended.outcome.error == ended.run.data.tags["fitgap.error"]


def make_history(losses: list[float]) -> History:
    return History(tuple(EpochMetrics(i, 0.5, 1.0, 0.9, 0.1, 0.6, loss, 0.1, 1.0) for i, loss in enumerate(losses, 1)))


def test_an_objective_that_has_no_value_yet_is_not_reported(begin: Begin) -> None:
    with begin_trial(begin(objectives=("overfit_epoch",), pruner="threshold", pruner_kwargs={"lower": 5.0})) as trial:
        observer = TrialObserver(trial, RunConfig())
        assert not observer.should_stop(make_history([1.0, 2.0]))
        assert trial.last_value is None
        assert observer.should_stop(make_history([1.0, 2.0, 3.0, 4.0]))
        assert trial.last_value == 1.0


def test_what_is_reported_is_what_the_trial_would_come_to(begin: Begin, study: optuna.Study) -> None:
    for objective in OBJECTIVE_METRICS:
        ticket = begin(objectives=(objective,), pruner="none")
        history = make_history([3.0, 1.0, 2.0, 3.0, 4.0])
        with begin_trial(ticket) as trial:
            TrialObserver(trial, RunConfig()).should_stop(history)
        assert find_trial(study, ticket).intermediate_values == {5: compute_metrics(history)[objective]}
