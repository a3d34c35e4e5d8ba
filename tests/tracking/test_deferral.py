"""A run of a sweep begins although the server is away, and is there as if nothing had been once it is back."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from src.config.tracking import TrackingConfig
from src.errors import TrackingError
from src.tracking import courier
from src.tracking.address import UnreachableError
from src.tracking.identity import JOURNAL_TAG
from src.tracking.journal import Journal
from src.tracking.outbox import deliver_pending, open_journal
from src.tracking.reconciliation import catch_up
from src.tracking.run import TrackedRun, resume_run, start_run
from src.tracking.store import PROJECT_ROOT, Store, connect, open_store
from tests.tracking.server import Server

Eventually = Callable[[Callable[[], bool]], None]

#: Begins a deferred run in a process of its own and logs to it; the last argument says how it ends.
_PROGRAM = """
import sys, time
from pathlib import Path
from src.tracking.store import Store
from src.tracking.run import start_run
store = Store(sys.argv[1], sys.argv[2], "fitgap", Path(sys.argv[3]))
run = start_run(store, name="tiny", tags={"fitgap.state": "running"}, parent_run_id=sys.argv[4], defer=True)
for step in range(20):
    run.log_metrics({"val_loss": step / 7}, step=step)
if sys.argv[5] == "finish":
    print(run.run_id, run.finish("FAILED").reason, flush=True)
else:
    print(run.run_id, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "_LAST_PAUSE_SECONDS", 0.5)
    monkeypatch.setattr(courier, "_PATIENCE_SECONDS", 0.5)


@pytest.fixture
def parent(server_store: Store) -> str:
    run = start_run(server_store, name="grid", tags={"fitgap.kind": "sweep"})
    assert run.finish().delivered
    return run.run_id


def _start(store: Store, parent_run_id: str | None = None, *, system_metrics: bool = False) -> TrackedRun:
    tags = {"fitgap.kind": "trial"}
    return start_run(
        store, name="tiny", tags=tags, parent_run_id=parent_run_id, system_metrics=system_metrics, defer=True
    )


def _children(store: Store, parent_run_id: str) -> list[Run]:
    filter_string = f"tags.`mlflow.parentRunId` = '{parent_run_id}'"
    return list(connect(store.uri).search_runs([store.experiment_id], filter_string=filter_string))


def _steps(store: Store, run_id: str) -> list[int]:
    return [point.step for point in connect(store.uri).get_metric_history(run_id, "val_loss")]


def _arguments(store: Store, parent_run_id: str, ending: str) -> list[str]:
    place = [store.uri, store.experiment_id, str(store.outbox), parent_run_id]
    return [sys.executable, "-c", _PROGRAM, *place, ending]


def test_a_run_begun_without_its_server_is_delivered_by_the_same_process_when_it_is_back(
    server: Server, server_store: Store, parent: str, eventually: Eventually, tmp_path: Path
) -> None:
    (tmp_path / "curves.png").write_bytes(b"image")
    server.kill()
    before = int(time.time() * 1000)
    run = _start(server_store, parent)
    began = int(time.time() * 1000)
    provisional_id = run.run_id
    run.log_params({"seed": 0})
    run.log_metrics({"val_loss": 1.0}, step=0)
    run.log_artifact(tmp_path / "curves.png")
    result = run.finish()
    assert (result.delivered, result.reason, result.run_id) == (False, "connection refused", provisional_id)
    assert provisional_id.startswith("local-")

    time.sleep(0.5)
    server.start()
    eventually(lambda: not list(server_store.outbox.iterdir()))
    [stored] = _children(server_store, parent)
    assert run.run_id == stored.info.run_id != provisional_id
    assert (stored.info.status, stored.info.run_name) == ("FINISHED", "tiny")
    assert before <= stored.info.start_time <= began
    assert stored.info.start_time < stored.info.end_time < began + 5000
    assert stored.data.params == {"seed": "0"}
    assert stored.data.tags["fitgap.kind"] == "trial"
    assert _steps(server_store, run.run_id) == [0]
    assert [file.path for file in connect(server_store.uri).list_artifacts(run.run_id)] == ["curves.png"]


def test_a_run_begun_without_its_server_is_delivered_by_the_command_after_its_process(
    server: Server, server_store: Store, parent: str
) -> None:
    server.kill()
    command = _arguments(server_store, parent, "finish")
    said = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    provisional_id, reason = said.strip().split(maxsplit=1)
    assert reason == "connection refused"
    [away] = deliver_pending(server_store.outbox)
    assert (away.delivered, away.pending, away.run_id, away.name) == (False, 22, provisional_id, "tiny")

    server.start()
    command = [sys.executable, "-m", "src.deliver", "--outbox", str(server_store.outbox)]
    delivered = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60, check=False)
    [stored] = _children(server_store, parent)
    assert (delivered.returncode, delivered.stdout) == (0, f"delivered  tiny  {stored.info.run_id}\n")
    assert (stored.info.status, stored.data.tags["fitgap.state"]) == ("FAILED", "running")
    assert _steps(server_store, stored.info.run_id) == list(range(20))


def test_a_killed_process_leaves_a_deferred_run_that_is_closed_as_lost(
    server: Server, server_store: Store, parent: str
) -> None:
    server.kill()
    command = _arguments(server_store, parent, "hang")
    with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("local-")
        os.kill(process.pid, signal.SIGKILL)
    server.start()

    [result] = deliver_pending(server_store.outbox)
    [stored] = _children(server_store, parent)
    assert (result.delivered, result.run_id) == (True, stored.info.run_id)
    assert (stored.info.status, stored.data.tags["fitgap.state"]) == ("KILLED", "lost")
    assert stored.info.start_time <= stored.info.end_time < stored.info.start_time + 10_000
    assert _steps(server_store, stored.info.run_id) == list(range(20))


def test_a_journal_delivered_a_second_time_makes_no_second_run(
    server: Server, server_store: Store, parent: str, eventually: Eventually, tmp_path: Path
) -> None:
    server.kill()
    run = _start(server_store, parent)
    run.log_metrics({"val_loss": 1.0}, step=0)
    run.finish()
    copies = [tmp_path / "first", tmp_path / "second"]
    for copy in copies:
        shutil.copytree(server_store.outbox / run.run_id, copy / run.run_id)
    server.start()
    eventually(lambda: not list(server_store.outbox.iterdir()))

    for copy in copies:
        assert [delivery.run_id for delivery in deliver_pending(copy)] == [run.run_id]
    assert [child.info.run_id for child in _children(server_store, parent)] == [run.run_id]
    assert _steps(server_store, run.run_id) == [0]


def test_an_interruption_between_creating_the_run_and_noting_its_id_makes_no_second_run(
    server: Server, server_store: Store, parent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.kill()
    command = _arguments(server_store, parent, "finish")
    subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, timeout=60, check=True)
    server.start()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "confirm", interrupt)
        with pytest.raises(KeyboardInterrupt):
            deliver_pending(server_store.outbox)
    [created] = _children(server_store, parent)
    assert created.info.status == "RUNNING"

    [result] = deliver_pending(server_store.outbox)
    [stored] = _children(server_store, parent)
    assert result.run_id == created.info.run_id == stored.info.run_id
    assert stored.info.status == "FAILED"


def test_a_run_that_was_created_although_the_answer_was_lost_is_not_created_again(
    server_store: Store, parent: str, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = MlflowClient.create_run

    def lose_answer(*args: object, **kwargs: object) -> None:
        create(*args, **kwargs)  # type: ignore[arg-type]
        raise ConnectionError("Read timed out.")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "create_run", lose_answer)
        run = _start(server_store, parent)
        eventually(lambda: not run.run_id.startswith("local-"))
    assert run.finish().delivered
    assert [child.info.run_id for child in _children(server_store, parent)] == [run.run_id]


def test_a_resumed_run_takes_over_what_a_deferred_one_has_left(
    server: Server, server_store: Store, parent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.kill()
    command = _arguments(server_store, parent, "finish")
    subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, timeout=60, check=True)
    server.start()

    def lose(*_: object) -> None:
        raise ConnectionError("connection refused")

    with monkeypatch.context() as patch:
        # The server takes the run, and nothing after it.
        patch.setattr("src.tracking.delivery.send_batch", lose)
        [left] = deliver_pending(server_store.outbox)
    assert not left.delivered
    assert not left.run_id.startswith("local-")

    run = resume_run(server_store, left.run_id)
    run.log_metrics({"val_loss": 0.5}, step=20)
    assert run.finish().delivered
    assert list(server_store.outbox.iterdir()) == []
    assert _steps(server_store, left.run_id) == list(range(21))
    assert connect(server_store.uri).get_run(left.run_id).info.status == "FINISHED"


def test_a_store_that_answers_starts_the_run_at_once_also_where_it_may_be_deferred(store: Store) -> None:
    run = _start(store)
    assert connect(store.uri).get_run(run.run_id).info.status == "RUNNING"
    assert run.finish().delivered


def test_what_the_store_refuses_is_an_error_also_where_the_start_may_be_deferred(store: Store) -> None:
    connect(store.uri).delete_experiment(store.experiment_id)

    with pytest.raises(TrackingError, match="Cannot start the run in experiment 'fitgap'"):
        _start(store)
    assert list(store.outbox.iterdir()) == []


@pytest.fixture
def proxy(request: pytest.FixtureRequest) -> Iterator[str]:
    """A proxy whose health is good, and that answers everything else itself."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else request.param)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"No")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Prints nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("proxy", [401, 403, 404], indirect=True)
def test_a_trial_begins_though_a_proxy_turns_it_away_and_its_journal_waits_for_the_server(
    proxy: str, store: Store
) -> None:
    parent = "0" * 32
    away = dataclasses.replace(store, uri=proxy)
    with pytest.raises(TrackingError, match="Cannot start the run"):
        _start(away)
    run = _start(away, parent)
    assert run.run_id.startswith("local-")
    result = run.finish(timeout_seconds=20)
    assert "failed with error code" in str(result.reason)
    journal = Journal(store.outbox / run.run_id)
    journal.read()
    # It is still to be had by the store, and waited for.
    assert not journal.gone
    assert resume_run(away, parent, name="grid", defer=True).run_id == parent


def test_an_experiment_that_was_deleted_meanwhile_keeps_the_run_on_disk_with_the_reason(
    server: Server, tmp_path: Path, eventually: Eventually
) -> None:
    other = open_store(TrackingConfig(uri=server.uri, experiment="doomed"), tmp_path)
    server.kill()
    run = _start(other)
    run.finish()
    server.start()
    connect(other.uri).delete_experiment(other.experiment_id)
    eventually(lambda: "refuses to create the run" in str(run.finish(timeout_seconds=1).reason))

    connect(other.uri).restore_experiment(other.experiment_id)
    eventually(lambda: not list(other.outbox.iterdir()))
    assert connect(other.uri).get_run(run.run_id).info.status == "FINISHED"


def test_without_the_permission_to_defer_a_dead_server_is_an_error(dead_store: Store) -> None:
    with pytest.raises(UnreachableError, match="connection refused"):
        start_run(dead_store, name="never", tags={})
    assert list(dead_store.outbox.iterdir()) == []


def test_a_database_that_is_gone_defers_the_run_and_is_not_made_anew(store: Store, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").rename(tmp_path / "mlflow.away")
    run = _start(store)
    assert not (tmp_path / "mlflow.db").exists()
    (tmp_path / "mlflow.away").rename(tmp_path / "mlflow.db")
    assert run.finish().delivered
    assert connect(store.uri).get_run(run.run_id).info.status == "FINISHED"


def test_a_deferred_run_goes_without_system_metrics_and_says_so(
    dead_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        run = _start(dead_store, system_metrics=True)
    assert "System metrics are not logged for tiny" in caplog.text
    run.finish(timeout_seconds=0)


def test_a_cell_of_a_sweep_opens_its_store_without_asking_anybody(dead_store: Store, tmp_path: Path) -> None:
    config = TrackingConfig(uri=dead_store.uri, parent_run_id="0" * 32, experiment_id="7", experiment="grids")
    store = open_store(config, tmp_path)
    assert (store.uri, store.experiment_id, store.experiment_name) == (dead_store.uri, "7", "grids")
    with pytest.raises(UnreachableError):
        open_store(TrackingConfig(uri=dead_store.uri, experiment_id="7"), tmp_path)


def test_the_first_line_of_a_journal_is_enough_to_create_its_run(dead_store: Store, store: Store) -> None:
    run = _start(dead_store)
    run.log_params({"seed": 0})
    [journal] = dead_store.outbox.glob("local-*/journal.jsonl")
    header = json.loads(journal.read_text().splitlines()[0])
    copy = store.outbox.with_name("copy")
    (copy / run.run_id).mkdir(parents=True)
    (copy / run.run_id / "journal.jsonl").write_text(json.dumps({**header, "uri": store.uri}) + "\n")
    [result] = deliver_pending(copy)
    assert result.delivered
    stored = connect(store.uri).get_run(result.run_id)
    assert (stored.info.run_name, stored.info.status, stored.data.tags["fitgap.kind"]) == ("tiny", "KILLED", "trial")


def test_a_journal_that_cannot_be_created_from_says_so_and_keeps_nobody_waiting(store: Store) -> None:
    journal = open_journal(store, "local-0123", "tiny")
    journal.append("metrics", step=1, values={"val_loss": 0.5})
    journal.close()
    [result] = deliver_pending(store.outbox)
    assert not result.delivered
    assert "no journal here says how it is created" in str(result.reason)
    assert catch_up(store, 60)
    # Until another machine has delivered the run itself.
    run_id = connect(store.uri).create_run(store.experiment_id, tags={JOURNAL_TAG: "local-0123"}).info.run_id
    [result] = deliver_pending(store.outbox)
    assert (result.delivered, result.run_id) == (True, run_id)


def test_a_second_journal_of_a_run_waits_for_the_one_that_creates_it(store: Store, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").rename(tmp_path / "mlflow.away")
    run = _start(store)
    second = open_journal(store, run.run_id, "tiny")
    second.append("metrics", step=1, values={"val_loss": 0.5})
    second.close()
    (tmp_path / "mlflow.away").rename(tmp_path / "mlflow.db")
    assert run.finish().delivered
    assert [result.run_id for result in deliver_pending(store.outbox)] == [run.run_id]
    assert _steps(store, run.run_id) == [1]
