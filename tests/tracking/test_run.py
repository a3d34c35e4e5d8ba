"""What is logged to a run arrives in a real SQLite store, once, and without holding up the caller."""

from __future__ import annotations

import errno
import json
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import MlflowClient

from src.errors import TrackingError
from src.tracking import courier, delivery
from src.tracking.address import sqlite_path
from src.tracking.delivery import Deliverer
from src.tracking.journal import Journal, Record
from src.tracking.outbox import deliver_pending, open_journal
from src.tracking.run import TrackedRun, resume_run, start_run
from src.tracking.store import Store, connect
from src.tracking.system import SAMPLED

Eventually = Callable[[Callable[[], bool]], None]


def _start(store: Store) -> TrackedRun:
    return start_run(store, name="tiny", tags={"fitgap.kind": "run"})


def _stored(run: TrackedRun) -> Run:
    return connect(run.store.uri).get_run(run.run_id)


def _points(run: TrackedRun, key: str) -> list[tuple[int, float]]:
    history = connect(run.store.uri).get_metric_history(run.run_id, key)
    return [(point.step, point.value) for point in history]


def test_everything_that_is_logged_arrives_with_the_run(store: Store, tmp_path: Path) -> None:
    (tmp_path / "curves.png").write_bytes(b"first")
    run = start_run(store, name="child", tags={"fitgap.kind": "trial"}, parent_run_id=_start(store).run_id)
    run.log_params({"model.name": "vgg16", "seed": 0, "augmentation": None, "empty": ""})
    run.log_metrics({"val_loss": 0.5}, step=1)
    run.set_tags({"fitgap.state": "complete"})
    run.log_artifact(tmp_path / "curves.png")
    (tmp_path / "curves.png").unlink()
    run.log_text("seed: 0\n", "config/config.yaml")
    run.log_dataset(name="digits", source="https://example.org/digits", digest="f" * 64, profile={"num_examples": 1797})

    result = run.finish()

    assert (result.delivered, result.pending, result.reason) == (True, 0, None)
    stored = _stored(run)
    assert stored.info.status == "FINISHED"
    assert stored.data.params == {"model.name": "vgg16", "seed": "0", "augmentation": "None", "empty": ""}
    assert stored.data.metrics == {"val_loss": 0.5}
    assert stored.data.tags["fitgap.state"] == "complete"
    assert stored.data.tags["mlflow.parentRunId"]
    folder = Path(connect(store.uri).download_artifacts(run.run_id, ""))
    assert (folder / "curves.png").read_bytes() == b"first"
    assert (folder / "config" / "config.yaml").read_text() == "seed: 0\n"
    [given] = stored.inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("digits", "f" * 36)
    assert json.loads(given.dataset.profile) == {"num_examples": 1797, "digest": "f" * 64}
    assert json.loads(given.dataset.source) == {"url": "https://example.org/digits"}
    assert [(tag.key, tag.value) for tag in given.tags] == [("mlflow.data.context", "training")]
    assert not (store.outbox / run.run_id).exists()


def test_nan_and_infinity_are_kept(store: Store) -> None:
    run = _start(store)
    run.log_metrics({"val_loss": math.nan, "train_loss": math.inf}, step=1)
    run.finish()

    assert math.isnan(_stored(run).data.metrics["val_loss"])
    assert _stored(run).data.metrics["train_loss"] == pytest.approx(1.797e308, rel=1e-3)


def test_a_value_that_is_too_long_is_shortened_with_a_mark(store: Store) -> None:
    run = _start(store)
    run.log_params({"long": "p" * 7000})
    run.set_tags({"long": "t" * 9000})
    run.finish()

    stored = _stored(run).data
    assert stored.params["long"].endswith("ppp … [shortened from 7000 characters]")
    assert len(stored.params["long"]) == 6000
    assert len(stored.tags["long"]) == 8000


def test_more_values_than_mlflow_takes_at_once_arrive(store: Store) -> None:
    run = _start(store)
    run.log_params({f"param_{index}": "v" * 6000 for index in range(250)})
    run.log_metrics({f"metric_{index}": index for index in range(2500)})
    run.finish()

    assert len(_stored(run).data.params) == 250
    assert len(_stored(run).data.metrics) == 2500


def test_logging_never_touches_the_store_on_the_calling_thread(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    calling, callers = threading.get_ident(), set()
    run = _start(store)
    for name in ("log_batch", "update_run_info", "log_inputs"):
        original = getattr(SqlAlchemyStore, name)

        def spy(*args: object, _original: Callable[..., object] = original, **kwargs: object) -> object:
            callers.add(threading.get_ident())
            return _original(*args, **kwargs)

        monkeypatch.setattr(SqlAlchemyStore, name, spy)
    for epoch in range(1000):
        run.log_metrics({f"metric_{index}": epoch + index / 10 for index in range(10)}, step=epoch)
    run.log_params({"a": 1})
    run.log_dataset(name="digits", source="here", digest="1", profile={})
    result = run.finish()

    assert result.delivered
    assert callers
    assert calling not in callers
    assert _points(run, "metric_3") == [(epoch, epoch + 3 / 10) for epoch in range(1000)]


def test_delivering_every_record_twice_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    send = delivery.Deliverer._send

    def send_twice(*args: Any) -> None:
        send(*args)
        send(*args)

    monkeypatch.setattr(delivery.Deliverer, "_send", send_twice)
    run = _start(store)
    run.log_params({"a": 1})
    for step in range(3):
        run.log_metrics({"val_loss": 1 / (step + 1), "train_loss": math.nan}, step=step)
    run.log_dataset(name="digits", source="here", digest="1", profile={})
    assert run.finish().delivered

    assert len(_points(run, "val_loss")) == 3
    assert len(_points(run, "train_loss")) == 3
    assert len(_stored(run).inputs.dataset_inputs) == 1


def test_one_refused_value_costs_neither_its_neighbours_nor_the_run(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    run = _start(store)
    run.log_metrics({"val_loss": 0.5, "what?!": 1.0}, step=1)
    run.log_params({"a": 1})
    result = run.finish()

    assert (result.delivered, result.pending) == (False, 1)
    assert result.reason is not None
    assert "what?!" in result.reason
    assert "MLflow refuses" in caplog.text
    assert _stored(run).info.status == "FINISHED"
    assert _stored(run).data.metrics == {"val_loss": 0.5}
    # The refused record stays, and the command says so again.
    [again] = deliver_pending(store.outbox)
    assert (again.delivered, again.pending, again.active) == (False, 1, False)


def test_a_param_keeps_its_first_value_and_the_second_is_reported(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    run = _start(store)
    run.log_params({"seed": 0})
    run.log_params({"seed": 0, "other": 1})
    run.log_params({"seed": 1})

    assert run.finish().delivered
    assert _stored(run).data.params == {"seed": "0", "other": "1"}
    assert "ignored new values of seed" in caplog.text


def test_a_busy_database_only_delays(store: Store, eventually: Eventually, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "_FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(courier, "_LAST_PAUSE_SECONDS", 0.05)
    run = _start(store)
    log_batch, failures = SqlAlchemyStore.log_batch, []

    def busy(*args: object, **kwargs: object) -> object:
        if len(failures) < 7:
            failures.append(1)
            raise MlflowException("database is locked", error_code=TEMPORARILY_UNAVAILABLE)
        return log_batch(*args, **kwargs)

    monkeypatch.setattr(SqlAlchemyStore, "log_batch", busy)
    run.log_metrics({"val_loss": 0.5}, step=1)
    run.finish()
    eventually(lambda: not (store.outbox / run.run_id).exists())
    assert _points(run, "val_loss") == [(1, 0.5)]


def test_a_full_disk_does_not_keep_metrics_from_the_store(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "curves.png").write_bytes(b"image")
    run = _start(store)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    monkeypatch.setattr(Journal, "stage", full)
    run.log_metrics({"val_loss": 0.5}, step=1)
    run.log_artifact(tmp_path / "curves.png")

    assert run.finish().delivered
    assert _points(run, "val_loss") == [(1, 0.5)]
    assert [file.path for file in connect(store.uri).list_artifacts(run.run_id)] == ["curves.png"]


def test_nothing_can_be_logged_after_the_end(store: Store) -> None:
    run = _start(store)
    assert run.finish("FAILED").delivered
    assert run.finish("FAILED").delivered

    with pytest.raises(TrackingError, match="is finished"):
        run.log_metrics({"val_loss": 0.5})
    with pytest.raises(ValueError, match="FINISHED, FAILED, KILLED"):
        run.finish("DONE")
    assert _stored(run).info.status == "FAILED"


def test_a_missing_artifact_is_the_callers_mistake(store: Store, tmp_path: Path) -> None:
    run = _start(store)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.png"):
        run.log_artifact(tmp_path / "nowhere.png")
    with pytest.raises(FileNotFoundError, match="MLmodel is missing"):
        run.log_model(tmp_path, step=1)


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.4, 1.5])
def test_a_run_is_gone_on_with_once_its_earlier_end_has_arrived(
    seconds: float, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start_run(store, name="run", tags={"fitgap.state": "running"})
    send = Deliverer._send

    def send_slowly(deliverer: Deliverer, client: MlflowClient, group: Sequence[Record]) -> None:
        time.sleep(seconds)
        send(deliverer, client, group)

    with monkeypatch.context() as patch:
        patch.setattr(Deliverer, "_send", send_slowly)
        first.set_tags({"fitgap.state": "failed"})
        first.finish("FAILED", background=True)
        second = resume_run(store, first.run_id)
        second.set_tags({"fitgap.state": "running"})
        assert [folder.name for folder in store.outbox.iterdir() if not folder.name.startswith(".")] == [first.run_id]
    assert second.flush(30)
    run = connect(store.uri).get_run(first.run_id)
    assert (run.info.status, run.data.tags["fitgap.state"]) == ("RUNNING", "running")
    assert second.finish().delivered


def test_an_ended_run_can_be_resumed(store: Store) -> None:
    first = _start(store)
    first.log_metrics({"val_loss": 0.5}, step=1)
    first.finish("KILLED")

    second = resume_run(store, first.run_id)
    second.log_metrics({"val_loss": 0.4}, step=2)
    assert second.name == "tiny"
    assert second.finish().delivered
    assert _stored(second).info.status == "FINISHED"
    assert _points(second, "val_loss") == [(1, 0.5), (2, 0.4)]


def test_a_run_that_is_being_recorded_can_be_attached_to(store: Store) -> None:
    first = _start(store)
    second = resume_run(store, first.run_id)
    first.log_metrics({"val_loss": 0.5}, step=1)
    second.log_metrics({"val_loss": 0.4}, step=2)

    assert second.finish().delivered
    assert first.finish().delivered
    assert _points(first, "val_loss") == [(1, 0.5), (2, 0.4)]


def test_a_resumed_run_takes_over_what_could_not_be_delivered(store: Store, dead_store: Store) -> None:
    first = _start(store)
    assert first.finish("KILLED").delivered
    journal = open_journal(dead_store, first.run_id, "tiny")
    journal.append("metrics", step=1, values={"val_loss": 0.5})
    journal.append("finish", status="KILLED")
    journal.close()

    # The store is at another address by now.
    second = resume_run(store, first.run_id)
    second.log_metrics({"val_loss": 0.4}, step=2)
    assert second.finish().delivered
    assert _points(second, "val_loss") == [(1, 0.5), (2, 0.4)]
    assert _stored(second).info.status == "FINISHED"


def test_a_missing_or_deleted_run_cannot_be_resumed(store: Store) -> None:
    run = _start(store)
    run.finish()
    connect(store.uri).delete_run(run.run_id)

    with pytest.raises(TrackingError, match="was deleted in MLflow"):
        resume_run(store, run.run_id)
    with pytest.raises(TrackingError, match="0123456789abcdef"):
        resume_run(store, "0123456789abcdef0123456789abcdef")


def test_a_run_deleted_in_the_meantime_stays_pending_with_the_reason(store: Store) -> None:
    run = _start(store)
    connect(store.uri).delete_run(run.run_id)
    run.log_metrics({"val_loss": 0.5}, step=1)
    result = run.finish(timeout_seconds=0.5)

    assert not result.delivered
    assert result.reason is not None
    assert "deleted in MLflow" in result.reason
    connect(store.uri).restore_run(run.run_id)


def test_a_database_that_is_gone_is_not_made_anew(store: Store) -> None:
    run = _start(store)
    path = sqlite_path(store.uri)
    assert path is not None
    path.rename(path.with_suffix(".away"))
    run.log_metrics({"val_loss": 0.5}, step=1)
    result = run.finish(timeout_seconds=0.5)
    assert result.reason is not None
    assert "is not there" in result.reason
    assert not path.exists()
    path.with_suffix(".away").rename(path)


def test_system_metrics_go_through_the_journal(
    store: Store, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    from src.tracking import system

    class Probe:
        def collect_metrics(self) -> None: ...

        def aggregate_metrics(self) -> dict[str, float]:
            return {"cpu_utilization_percentage": 50.0}

        def clear_metrics(self) -> None: ...

    monkeypatch.setattr(system, "_probe", lambda name: Probe())
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    run = start_run(store, name="tiny", tags={}, system_metrics=True)
    eventually(lambda: "system/cpu_utilization_percentage" in _stored(run).data.metrics)
    assert run.finish().delivered


def test_the_use_of_a_runs_own_gpus_is_logged_under_mlflows_names(
    make_gpus: Callable[..., None], store: Store, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    make_gpus({"used_mb": 1000}, {"memory_mb": 20000, "used_mb": 5000, "utilization": 87})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    run = start_run(store, name="tiny", tags={}, system_metrics=True)
    eventually(lambda: "system/gpu_0_utilization_percentage" in _stored(run).data.metrics)
    assert run.finish().delivered
    stored = {key: value for key, value in _stored(run).data.metrics.items() if "gpu" in key}
    assert stored == {
        "system/gpu_0_memory_usage_megabytes": 5242.9,
        "system/gpu_0_memory_usage_percentage": 25.0,
        "system/gpu_0_utilization_percentage": 87.0,
    }


def test_gpus_are_asked_in_one_of_three_samples_and_not_at_all_where_there_are_none(
    make_gpus: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from src.tracking.gpu_probe import GpuProbe

    def sample(probe: GpuProbe) -> int:
        probe.collect_metrics()
        number = len(probe.aggregate_metrics())
        probe.clear_metrics()
        return number

    make_gpus({}, {})
    probe = GpuProbe()
    assert [sample(probe) for _ in range(7)] == [6, 0, 0, 6, 0, 0, 6]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert sample(GpuProbe()) == 0


def test_gpus_that_are_made_up_in_a_wrong_way_cost_a_warning_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from src.tracking.gpu_probe import GpuProbe

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("FITGAP_GPUS", "/nowhere.json")
    probe = GpuProbe()
    for _ in range(4):
        probe.collect_metrics()
        assert probe.aggregate_metrics() == {}
    (told,) = caplog.messages
    assert told.startswith("The use of GPUs is not logged: FITGAP_GPUS names /nowhere.json, which cannot be read")


def test_the_samples_of_a_run_that_is_gone_on_with_come_behind_those_that_it_has(
    store: Store, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    first = start_run(store, name="tiny", tags={}, system_metrics=True)
    eventually(lambda: len(_points(first, SAMPLED)) > 2)
    first.finish("KILLED")
    second = resume_run(store, first.run_id)
    earlier = len(_points(second, SAMPLED))
    second.monitor_system(resumed=True)
    eventually(lambda: len(_points(second, SAMPLED)) > earlier + 2)
    second.finish()
    steps = [step for step, _ in _points(second, SAMPLED)]
    assert sorted(steps) == list(range(len(steps)))


def test_system_metrics_that_cannot_be_had_cost_a_warning(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from src.tracking import system

    def missing(name: str) -> object:
        raise ModuleNotFoundError("No module named 'psutil'")

    monkeypatch.setattr(system, "_probe", missing)
    assert start_run(store, name="tiny", tags={}, system_metrics=True).finish().delivered
    assert "they need psutil" in caplog.text
