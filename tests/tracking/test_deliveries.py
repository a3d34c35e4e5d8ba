"""A run that ends in the background is delivered behind the runs that follow, at the end of its process, or later."""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from src.config.paths import PROJECT_ROOT
from src.tracking import deliveries
from src.tracking.address import sqlite_path
from src.tracking.deliveries import await_deliveries
from src.tracking.outbox import await_outbox, deliver_pending
from src.tracking.run import TrackedRun, start_run
from src.tracking.store import Store, connect
from tests.sweep.site import wait_until

#: Ends as many runs as asked for, one after the other, each with a metric, a picture and a model, and then itself.
_PROGRAM = """
import atexit, os, sys, time
from pathlib import Path
from src.tracking.deliveries import await_deliveries
from src.tracking.run import start_run
from src.tracking.store import Store

uri, experiment, outbox, folder, number, end = sys.argv[1:]
store, folder = Store(uri, experiment, "fitgap", Path(outbox)), Path(folder)
(folder / "curves.png").write_bytes(b"image")
for index in range(int(number)):
    run = start_run(store, name=f"run{index}", tags={"fitgap.kind": "trial"})
    run.log_metrics({"val_loss": index}, step=1)
    run.log_artifact(folder / "curves.png")
    model = folder / f"model{index}"
    model.mkdir()
    (model / "MLmodel").write_text("flavors: {}\\n")
    (model / "weights").write_bytes(b"weights")
    run.log_model(model, 1, move=True)
    assert not model.exists()
    delivery = run.finish(background=True)
    assert delivery.reason is None, delivery
    print(run.run_id, flush=True)
if end == "hang":
    sys.stdin.readline()
elif end == "leave":
    atexit._run_exitfuncs()
    os._exit(0)
elif end == "fork" and os.fork() == 0:
    assert await_deliveries(0)
    sys.exit(0)
"""


def _command(store: Store, folder: Path, number: int, end: str) -> list[str]:
    place = [store.uri, store.experiment_id, str(store.outbox), str(folder)]
    return [sys.executable, "-c", _PROGRAM, *place, str(number), end]


def _run_program(store: Store, folder: Path, number: int, end: str) -> list[str]:
    """Runs the program to its end and returns the ids of its runs."""
    done = subprocess.run(
        _command(store, folder, number, end), cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


def _check_delivered(store: Store, run_ids: list[str]) -> None:
    client = connect(store.uri)
    for index, run_id in enumerate(run_ids):
        run = client.get_run(run_id)
        assert (run.info.run_name, run.info.status) == (f"run{index}", "FINISHED")
        assert run.data.metrics == {"val_loss": index}
        assert [file.path for file in client.list_artifacts(run_id)] == ["curves.png"]
    models = client.search_logged_models([store.experiment_id])
    assert {model.source_run_id for model in models} == set(run_ids)
    assert {str(model.status) for model in models} == {"READY"}
    assert list(store.outbox.iterdir()) == []


@contextmanager
def _busy(store: Store) -> Iterator[None]:
    """Keeps a database from being written to."""
    path = sqlite_path(store.uri)
    assert path is not None
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.close()


def _start(store: Store) -> TrackedRun:
    return start_run(store, name="tiny", tags={"fitgap.kind": "trial"})


@pytest.mark.parametrize("end", ["exit", "leave", "fork"])
def test_runs_that_follow_each_other_are_all_delivered_at_the_end_of_their_process(
    store: Store, tmp_path: Path, end: str
) -> None:
    run_ids = _run_program(store, tmp_path, 4, end)
    _check_delivered(store, run_ids)
    ends = [connect(store.uri).get_run(run_id).info.end_time for run_id in run_ids]
    assert ends == sorted(ends)


def test_a_server_gets_everything_too_before_the_process_ends(server_store: Store, tmp_path: Path) -> None:
    _check_delivered(server_store, _run_program(server_store, tmp_path, 2, "exit"))


def test_what_a_killed_process_has_not_delivered_is_delivered_as_what_it_is(store: Store, tmp_path: Path) -> None:
    with subprocess.Popen(
        _command(store, tmp_path, 2, "hang"), cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        run_ids = [process.stdout.readline().strip() for _ in range(2)]
        os.kill(process.pid, signal.SIGKILL)
    deliver_pending(store.outbox)
    _check_delivered(store, run_ids)


def test_the_end_of_a_run_in_the_background_does_not_wait_for_the_store(store: Store) -> None:
    run, other = _start(store), _start(store)
    with _busy(store):
        run.log_metrics({"val_loss": 0.5}, step=1)
        delivery = run.finish(background=True)
        assert (delivery.delivered, delivery.reason, delivery.active) == (False, None, True)
        assert not await_deliveries(0.2)
        other.log_metrics({"val_loss": 0.25}, step=1)
    assert await_deliveries(60)
    assert connect(store.uri).get_run(run.run_id).data.metrics == {"val_loss": 0.5}
    assert other.finish().delivered


def test_a_store_that_is_slower_than_the_runs_holds_up_their_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "_MAX_UNDER_WAY", 1)
    first, second = _start(store), _start(store)
    end = threading.Thread(target=lambda: second.finish(background=True))
    with _busy(store):
        first.finish(background=True)
        end.start()
        end.join(0.5)
        assert end.is_alive()
    end.join()
    assert await_deliveries(60)


def test_a_store_that_is_away_holds_up_nobody(store: Store, tmp_path: Path) -> None:
    path = sqlite_path(store.uri)
    assert path is not None
    runs = [_start(store) for _ in range(deliveries._MAX_UNDER_WAY + 3)]
    path.rename(tmp_path / "away.db")
    reasons = []
    for run in runs:
        run.log_metrics({"val_loss": 0.5}, step=1)
        run.finish(background=True)
        assert not await_deliveries(0.5)
        reasons.append(run.finish(background=True).reason)
    assert all("is not there" in str(reason) for reason in reasons)
    (tmp_path / "away.db").rename(path)
    assert await_deliveries(60)
    assert list(store.outbox.iterdir()) == []


def test_a_run_that_the_store_does_not_have_is_waited_for(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.tracking.courier._PATIENCE_SECONDS", 0.1)
    path = sqlite_path(store.uri)
    assert path is not None
    path.rename(tmp_path / "away.db")
    run = start_run(store, name="tiny", tags={}, defer=True)
    assert run.finish(background=True).reason is not None
    (tmp_path / "away.db").rename(path)
    assert await_outbox(store.outbox, 60)
    assert connect(store.uri).get_run(run.run_id).info.status == "FINISHED"


def test_a_store_that_has_failed_before_is_waited_for_by_one_attempt(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.tracking.courier._PATIENCE_SECONDS", math.inf)
    path = sqlite_path(store.uri)
    assert path is not None
    path.rename(tmp_path / "away.db")
    runs = [start_run(store, name="tiny", tags={}, defer=True) for _ in range(2)]
    wait_until(lambda: all(run._courier.reason is not None for run in runs), "both have failed")
    ends = [
        threading.Thread(target=lambda: runs[0].finish(timeout_seconds=60)),
        threading.Thread(target=lambda: runs[1].flush(60)),
    ]
    for end in ends:
        end.start()
    for end in ends:
        end.join(20)
    assert not any(end.is_alive() for end in ends)
    (tmp_path / "away.db").rename(path)
    assert runs[1].finish().delivered
    assert await_outbox(store.outbox, 60)


def test_the_outbox_is_waited_for_as_long_as_living_processes_deliver(store: Store, tmp_path: Path) -> None:
    going_on = _start(store)
    going_on.log_metrics({"val_loss": 0.5}, step=1)
    with subprocess.Popen(
        _command(store, tmp_path, 1, "hang"), cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        assert await_outbox(store.outbox, 60)
        _check_delivered_but(store, run_id, going_on)
        process.kill()
    assert going_on.finish().delivered


def _check_delivered_but(store: Store, run_id: str, going_on: TrackedRun) -> None:
    assert connect(store.uri).get_run(run_id).info.status == "FINISHED"
    assert not (store.outbox / run_id).exists()
    assert connect(store.uri).get_run(going_on.run_id).info.status == "RUNNING"


def test_the_wait_for_the_outbox_is_bounded_and_can_be_for_one_store(store: Store) -> None:
    run = _start(store)
    with _busy(store):
        run.finish(background=True)
        assert not await_outbox(store.outbox, 0.2)
        assert not await_outbox(store.outbox, 0.2, uri=store.uri)
        assert await_outbox(store.outbox, 0.2, uri="http://localhost:1")
    assert await_outbox(store.outbox, 60)
    assert await_outbox(store.outbox / "nothing", 0)


def test_looking_at_journals_while_they_are_delivered_disturbs_nobody(store: Store) -> None:
    runs = [_start(store) for _ in range(12)]
    waits: list[bool] = []
    threads = [threading.Thread(target=lambda: waits.append(await_outbox(store.outbox, 60))) for _ in range(4)]
    with _busy(store):
        for run in runs[:4]:
            run.finish(background=True)
    for thread in threads:
        thread.start()
    for run in runs[4:]:
        run.finish(background=True)
    for thread in threads:
        thread.join()
    assert waits == [True] * 4
    assert await_deliveries(60)
    assert list(store.outbox.iterdir()) == []


def test_what_a_dead_process_has_left_is_missing_and_not_waited_for(store: Store) -> None:
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom src.tracking.outbox import open_journal\n"
        "from src.tracking.store import Store\n"
        "journal = open_journal(Store(sys.argv[1], sys.argv[2], 'fitgap', Path(sys.argv[3])), sys.argv[4], 'tiny')\n"
        "journal.append('finish', status='FINISHED')\nos._exit(0)"
    )
    run = connect(store.uri).create_run(store.experiment_id)
    command = [sys.executable, "-c", program, store.uri, store.experiment_id, str(store.outbox), run.info.run_id]
    subprocess.run(command, cwd=PROJECT_ROOT, timeout=120, check=True)
    assert not await_outbox(store.outbox, 60)
    assert [delivery.delivered for delivery in deliver_pending(store.outbox)] == [True]
    assert await_outbox(store.outbox, 0)
    assert connect(store.uri).get_run(run.info.run_id).info.status == "FINISHED"
