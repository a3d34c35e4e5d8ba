"""Runs are read back as they were logged."""

from __future__ import annotations

import math

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE
from mlflow.tracking import MlflowClient

from src.errors import TrackingError
from src.history import EpochMetrics, History
from src.tracking.address import UnreachableError
from src.tracking.records import load_children, load_finished, load_run
from src.tracking.run import TrackedRun, resume_run, start_run
from src.tracking.store import Store


def _epoch(number: int) -> EpochMetrics:
    return EpochMetrics(number, 0.5, 1.2, 0.75, 0.9 / number, 0.625, 1.1, 0.001, 2.5)


def _start(store: Store, kind: str, parent: TrackedRun | None = None) -> TrackedRun:
    tags = {"fitgap.kind": kind}
    return start_run(store, name=f"a {kind}", tags=tags, parent_run_id=parent.run_id if parent else None)


def test_a_run_is_read_back_with_its_history(store: Store) -> None:
    run = _start(store, "run")
    run.log_params({"model.name": "vgg16"})
    for number in (2, 1):
        run.log_metrics(_epoch(number).metrics(), step=number)
    run.log_metrics({"val_loss": 9.9}, step=3)  # An epoch that was not completed.
    run.log_metrics({"best_val_loss": math.inf})
    run.finish()

    record = load_run(store, run.run_id)

    assert (record.name, record.status, record.kind) == ("a run", "FINISHED", "run")
    assert record.params == {"model.name": "vgg16"}
    assert record.metrics["best_val_loss"] == math.inf
    assert record.history == History((_epoch(1), _epoch(2)))
    assert record.duration_seconds is not None


def test_of_an_epoch_done_twice_the_later_counts(store: Store) -> None:
    run = _start(store, "run")
    run.log_metrics(_epoch(1).metrics(), step=1)
    run.finish("KILLED")
    again = resume_run(store, run.run_id)
    again.log_metrics({**_epoch(1).metrics(), "val_loss": 0.4}, step=1)
    again.finish()

    assert load_run(store, run.run_id).history.series("val_loss") == [0.4]


def test_a_run_without_epochs_has_an_empty_history(store: Store) -> None:
    run = _start(store, "run")
    run.finish()
    assert load_run(store, run.run_id).history == History()


def test_of_the_single_runs_those_that_finished_are_found(store: Store) -> None:
    first, failed, second, running = (_start(store, "run") for _ in range(4))
    sweep = _start(store, "sweep")
    trial = _start(store, "trial", sweep)
    failed.finish("FAILED")
    for run in (first, second, sweep, trial):
        run.finish()
    assert [record.run_id for record in load_finished(store)] == [first.run_id, second.run_id]
    running.finish()


def test_the_children_of_a_sweep_come_in_the_order_of_their_start(store: Store) -> None:
    sweep = _start(store, "sweep")
    assert load_children(store, sweep.run_id) == []
    children = [_start(store, "trial", sweep) for _ in range(3)]
    _start(store, "run")
    children[2].log_metrics(_epoch(1).metrics(), step=1)
    children[2].finish("KILLED")

    records = load_children(store, sweep.run_id)

    assert [record.run_id for record in records] == [child.run_id for child in children]
    assert [record.status for record in records] == ["RUNNING", "RUNNING", "KILLED"]
    assert [len(record.history) for record in records] == [0, 0, 1]


def test_reading_from_a_dead_server_names_it(dead_store: Store) -> None:
    with pytest.raises(TrackingError, match=dead_store.uri):
        load_children(dead_store, "0123456789abcdef0123456789abcdef")


def test_a_run_that_does_not_exist_is_an_error(store: Store) -> None:
    with pytest.raises(TrackingError, match="Cannot read run 0123456789abcdef"):
        load_run(store, "0123456789abcdef0123456789abcdef")


def test_a_store_that_answers_with_an_error_of_its_own_is_away_and_not_without_the_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(client: MlflowClient, run_id: str) -> None:
        raise MlflowException("Bad gateway", TEMPORARILY_UNAVAILABLE)

    monkeypatch.setattr(MlflowClient, "get_run", fail)
    with pytest.raises(UnreachableError, match=r"Cannot read run 0123 at .*: Bad gateway\."):
        load_run(store, "0123")
