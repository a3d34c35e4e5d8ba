"""What dead processes have left is put in order by whoever looks next."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from src.tracking.journal import REMOVED, Journal
from src.tracking.outbox import deliver_pending, open_journal
from src.tracking.reconciliation import catch_up, close_abandoned, reconcile
from src.tracking.run import start_run
from src.tracking.store import PROJECT_ROOT, Store, connect

_KILLED = """
import sys, time
from pathlib import Path
from src.tracking.store import Store
from src.tracking.run import start_run
store = Store(sys.argv[1], sys.argv[2], "fitgap", Path(sys.argv[3]))
for name in ("one", "two", "three"):
    start_run(store, name=name, tags={}).log_metrics({"val_loss": 0.5}, step=1)
print("started", flush=True)
time.sleep(60)
"""

_RECONCILING = """
import logging, sys
from pathlib import Path
from src.tracking.store import Store
from src.tracking.reconciliation import reconcile
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
store = Store(sys.argv[1], sys.argv[2], "fitgap", Path(sys.argv[3]))
print("ready", flush=True)
sys.stdin.readline()
reconcile(store).join()
"""


def _place(store: Store) -> list[str]:
    return [store.uri, store.experiment_id, str(store.outbox)]


def _leave_killed_runs(store: Store) -> None:
    command = [sys.executable, "-c", _KILLED, *_place(store)]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)


def _states(store: Store) -> set[tuple[str, str]]:
    runs = connect(store.uri).search_runs([store.experiment_id])
    return {(str(run.info.run_name), str(run.info.status)) for run in runs}


def test_a_killed_run_is_closed_at_the_next_look_and_the_log_says_so(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    _leave_killed_runs(store)
    alive = start_run(store, name="alive", tags={})
    with caplog.at_level(logging.INFO, logger="src.tracking"):
        reconcile(store).join()

    killed = {("one", "KILLED"), ("two", "KILLED"), ("three", "KILLED")}
    assert _states(store) == {("alive", "RUNNING"), *killed}
    assert caplog.text.count("left by a process that has ended, was delivered") == 3
    assert alive.finish().delivered
    assert list(store.outbox.iterdir()) == []


def test_two_processes_may_look_at_once(store: Store) -> None:
    _leave_killed_runs(store)
    command = [sys.executable, "-c", _RECONCILING, *_place(store)]
    processes = [
        subprocess.Popen(command, cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert "".join(said).count("was delivered") == 3
    assert _states(store) == {("one", "KILLED"), ("two", "KILLED"), ("three", "KILLED")}
    assert list(store.outbox.iterdir()) == []


def test_many_threads_deliver_each_journal_once_and_leave_no_folder(store: Store) -> None:
    run = start_run(store, name="tiny", tags={})
    assert run.finish().delivered
    for number in range(30):
        journal = Journal(store.outbox / f"{run.run_id}.{number}")
        assert journal.open()
        journal.append("header", uri=store.uri, run_id=run.run_id, run_name="tiny")
        journal.append("metrics", step=number, values={"val_loss": 0.5})
        journal.append("finish", status="FINISHED")
        journal.close()
    delivered: list[bool] = []
    threads = [
        threading.Thread(target=lambda: delivered.extend(item.delivered for item in deliver_pending(store.outbox)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(delivered) == 30
    assert list(store.outbox.iterdir()) == []
    assert len(connect(store.uri).get_metric_history(run.run_id, "val_loss")) == 30


def test_a_look_never_raises_and_says_nothing_of_what_it_cannot_deliver(
    dead_store: Store, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    journal = open_journal(dead_store, "0" * 32, "tiny")
    journal.append("finish", status="FINISHED")
    journal.close()
    with caplog.at_level(logging.INFO):
        thread = reconcile(dead_store)
        assert thread.daemon
        thread.join()
        dead_store.outbox.rename(tmp_path / "elsewhere")
        dead_store.outbox.write_text("not a folder")
        reconcile(dead_store).join()
    assert [record for record in caplog.records if record.name.startswith("src.")] == []


def test_what_the_store_refuses_is_told_once_and_not_at_every_look(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    run = start_run(store, name="tiny", tags={})
    run.log_metrics({"what?!": 1.0}, step=1)
    run.finish()
    assert caplog.text.count("MLflow refuses") == 1
    reconcile(store).join()
    assert caplog.text.count("MLflow refuses") == 1


def test_a_folder_that_a_killed_process_was_deleting_is_removed(store: Store) -> None:
    (store.outbox / f"{REMOVED}0123").mkdir()
    (store.outbox / f"{REMOVED}0123" / "lock").touch()
    assert deliver_pending(store.outbox) == []
    assert list(store.outbox.iterdir()) == []


def test_a_journal_that_another_process_has_just_delivered_is_not_begun_anew(store: Store) -> None:
    folder = store.outbox / ("0" * 32)
    with pytest.raises(FileNotFoundError):
        Journal(folder).open(create=False)
    assert not folder.exists()


def test_abandoned_runs_are_closed_also_where_one_page_does_not_hold_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.tracking.reconciliation._PAGE", 2)
    client = connect(store.uri)
    for _ in range(5):
        client.create_run(store.experiment_id)
    assert close_abandoned(store.uri, store.outbox) == 5
    assert {status for _, status in _states(store)} == {"KILLED"}


def test_the_store_is_caught_up_once_it_has_what_killed_processes_have_left(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _leave_killed_runs(store)
    alive = start_run(store, name="alive", tags={})
    with monkeypatch.context() as patch:
        patch.setattr("src.tracking.reconciliation.deliver_pending", lambda outbox, *, quiet: [])
        assert not catch_up(store, 60)
    assert catch_up(store, 60)
    assert len(_states(store)) == 4
    assert alive.finish().delivered


def test_a_run_that_was_deleted_in_the_store_keeps_nobody_waiting_until_it_is_restored(store: Store) -> None:
    run = start_run(store, name="tiny", tags={})
    assert run.finish().delivered
    connect(store.uri).delete_run(run.run_id)
    journal = open_journal(store, run.run_id, "tiny")
    journal.append("metrics", step=1, values={"val_loss": 0.5})
    journal.append("finish", status="FINISHED")
    journal.close()
    assert catch_up(store, 60)
    assert [delivery.delivered for delivery in deliver_pending(store.outbox)] == [False]

    connect(store.uri).restore_run(run.run_id)
    assert catch_up(store, 60)
    assert list(store.outbox.iterdir()) == []
