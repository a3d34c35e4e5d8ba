"""Trials that go on from a checkpoint: in the same run, with curves without a seam, as new trials of their study."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import optuna
import pytest
from mlflow.tracking import MlflowClient

from src.config.run import RunConfig
from src.history import EPOCH_METRICS, EpochMetrics, History
from src.recording import EpochTracker
from src.runtime import begin_run
from src.study.address import sqlite_url
from src.study.storage import close_storage, open_storage
from src.training.progress import Step, TrainingObserver
from tests.tiny import TINY
from tests.trial_jobs import Ended, begin_job, execute_job, place_store

EPOCHS = 4

# MLflow's own, while it is imported to save a model.
pytestmark = pytest.mark.filterwarnings("ignore:.*type hint:UserWarning")


class Breaker:
    """Breaks a training off at a step of an epoch; an observer."""

    def __init__(self, epoch: int, step: int = 1) -> None:
        self.place = (epoch, step)

    def on_resume(self, history: History) -> None:
        pass

    def on_step(self, step: Step) -> None:
        if (step.epoch, step.step) == self.place:
            raise KeyboardInterrupt

    def on_epoch(self, epoch: EpochMetrics) -> None:
        pass

    def should_stop(self, history: History) -> bool:
        return False


@pytest.fixture(autouse=True)
def _float32() -> Iterator[None]:
    """Leaves no precision behind for the next test."""
    yield
    begin_run(seed=0, precision="float32", deterministic=False)


@pytest.fixture
def study(tmp_path: Path) -> Iterator[optuna.Study]:
    """An empty study."""
    storage = open_storage(sqlite_url(tmp_path / "optuna.db"))
    yield optuna.create_study(study_name="study", storage=storage, direction="maximize")
    close_storage(storage)


@pytest.fixture
def attempt(
    study: optuna.Study,
    compose_run: Callable[..., RunConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Ended]:
    """Makes an attempt at the same trial; each is a trial of its own to the study, and all share their checkpoint."""

    def execute(*overrides: str, observers: Sequence[TrainingObserver] = (), **pruner: object) -> Ended:
        number = len(study.get_trials(deepcopy=False))
        ticket = {"number": number, "checkpoint": str(tmp_path / "first" / "checkpoint.npz")}
        begin_job(study, tmp_path, monkeypatch, **ticket, **(pruner or {"pruner": "none"}))
        place = (f"tracking.trial_number={number}", f"tracking.run_name='#{number}'", "tracking.parent_run_id=parent")
        shared = (*TINY, *place_store(tmp_path), f"trainer.epochs={EPOCHS}", "trainer.checkpoint_epochs=1")
        return execute_job(compose_run(*shared, *place, *overrides), tmp_path, observers)

    return execute


def steps(ended: Ended, folder: Path, key: str) -> list[int]:
    points = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").get_metric_history(ended.run.info.run_id, key)
    return [point.step for point in points]


def curve(ended: Ended, folder: Path, key: str) -> list[float]:
    points = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").get_metric_history(ended.run.info.run_id, key)
    return [point.value for point in sorted(points, key=lambda point: point.step)]


def test_an_interrupted_trial_goes_on_in_its_run_to_what_it_would_have_come_to(
    attempt: Callable[..., Ended], study: optuna.Study, tmp_path: Path
) -> None:
    first = attempt(observers=[Breaker(3, step=2)])
    assert (first.outcome.state, first.run.info.status) == ("interrupted", "KILLED")
    second = attempt()
    assert second.outcome.state == "complete"
    assert second.run.info.run_id == first.run.info.run_id
    assert second.run.info.status == "FINISHED"
    assert f"Going on after epoch 2 of {EPOCHS}, from its checkpoint" in second.said

    (tmp_path / "first" / "checkpoint.npz").unlink()
    whole = attempt()
    assert whole.run.info.run_id != first.run.info.run_id
    for key in EPOCH_METRICS:
        assert steps(second, tmp_path, key) == list(range(1, EPOCHS + 1)), key
        if key != "epoch_seconds":
            assert curve(second, tmp_path, key) == curve(whole, tmp_path, key), key
    assert second.outcome.metrics.items() >= {"best_val_accuracy": whole.outcome.metrics["best_val_accuracy"]}.items()
    assert second.artifacts - {"traceback.txt"} == whole.artifacts


def test_the_run_of_a_resumed_trial_is_that_of_the_trial_it_is_now(attempt: Callable[..., Ended]) -> None:
    first = attempt(observers=[Breaker(2)])
    assert first.run.data.tags["fitgap.error"] == "KeyboardInterrupt"
    second = attempt()
    tags = second.run.data.tags
    assert (tags["fitgap.state"], tags["fitgap.trial_number"], tags["fitgap.error"]) == ("complete", "1", "")
    assert (second.run.info.run_name, tags["mlflow.runName"]) == ("#1", "#1")
    assert tags["fitgap.resumed_after_epoch"] == "1"
    assert second.run.data.params == first.run.data.params


def test_the_study_hears_of_the_earlier_epochs_too_and_so_does_the_pruner(
    attempt: Callable[..., Ended], study: optuna.Study
) -> None:
    halving = {
        "pruner": "successive_halving",
        "pruner_kwargs": {"min_resource": 1, "reduction_factor": 2, "bootstrap_count": 0},
    }
    attempt(observers=[Breaker(4)], **halving)
    attempt(**halving)
    broken, resumed = study.get_trials(deepcopy=False)
    assert [*broken.intermediate_values] == [1, 2, 3]
    assert [*resumed.intermediate_values] == [1, 2, 3, 4]
    assert resumed.intermediate_values.items() >= broken.intermediate_values.items()
    rungs = {key: value for key, value in broken.system_attrs.items() if "rung" in key}
    assert len(rungs) == 2
    assert resumed.system_attrs.items() >= rungs.items()


def test_an_epoch_that_was_logged_after_the_last_checkpoint_is_not_logged_again(
    attempt: Callable[..., Ended], tmp_path: Path
) -> None:
    first = attempt("trainer.checkpoint_epochs=2", observers=[Breaker(4)])
    assert steps(first, tmp_path, "val_loss") == [1, 2, 3]
    second = attempt()
    assert "Going on after epoch 2" in second.said
    for key in EPOCH_METRICS:
        assert steps(second, tmp_path, key) == [1, 2, 3, 4]


def test_an_epoch_of_a_checkpoint_that_was_not_logged_yet_is_logged_on_resumption(
    attempt: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forget(tracker: EpochTracker, epoch: EpochMetrics) -> None:
        """As if the process had been killed right before."""

    with monkeypatch.context() as patch:
        patch.setattr(EpochTracker, "on_epoch", forget)
        first = attempt(observers=[Breaker(3)])
    assert steps(first, tmp_path, "val_loss") == []
    second = attempt()
    assert second.run.info.run_id == first.run.info.run_id
    assert steps(second, tmp_path, "val_loss") == [1, 2, 3, 4]


def test_where_the_run_was_deleted_a_new_one_gets_the_whole_curves(
    attempt: Callable[..., Ended], tmp_path: Path
) -> None:
    first = attempt(observers=[Breaker(3)])
    MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").delete_run(first.run.info.run_id)
    second = attempt()
    assert "was deleted in MLflow" in second.said
    assert "goes on from its checkpoint, in a new run" in " ".join(second.said.split())
    assert second.run.info.run_id != first.run.info.run_id
    assert second.run.data.tags["fitgap.resumed_after_epoch"] == "2"
    assert steps(second, tmp_path, "val_loss") == [1, 2, 3, 4]
    assert "config.yaml" in second.artifacts


def test_a_damaged_checkpoint_has_the_trial_begin_anew_and_says_so(
    attempt: Callable[..., Ended], tmp_path: Path
) -> None:
    first = attempt(observers=[Breaker(3)])
    place = tmp_path / "first" / "checkpoint.npz"
    place.write_bytes(place.read_bytes()[:-100])
    second = attempt()
    assert "is damaged or cannot be read" in second.said
    assert "The training begins with the first epoch." in second.said
    assert second.run.info.run_id != first.run.info.run_id
    assert steps(second, tmp_path, "val_loss") == [1, 2, 3, 4]


def test_without_checkpoints_a_trial_begins_anew(attempt: Callable[..., Ended], tmp_path: Path) -> None:
    attempt("trainer.checkpoint_epochs=null", observers=[Breaker(3)])
    assert not (tmp_path / "first").exists()
    assert "Going on" not in attempt("trainer.checkpoint_epochs=null").said


def test_where_validation_loss_turned_is_not_said_of_a_training_that_may_go_on(
    attempt: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    from src import recording

    compute = recording.compute_summary
    monkeypatch.setattr(recording, "compute_summary", lambda history: {**compute(history), "overfit_epoch": 1.0})
    assert "overfit_epoch" not in attempt(observers=[Breaker(3)]).run.data.metrics
    assert attempt().run.data.metrics["overfit_epoch"] == 1.0
