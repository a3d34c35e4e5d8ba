"""A tracking server that dies costs neither the run nor a metric. The server is a real one, and dies by SIGKILL."""

from __future__ import annotations

import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from src import deliver
from src.entry import run_command
from src.tracking.outbox import deliver_pending, open_journal
from src.tracking.run import TrackedRun, start_run
from src.tracking.store import PROJECT_ROOT, Store, connect
from tests.tracking.server import Server

Eventually = Callable[[Callable[[], bool]], None]


def _start(store: Store) -> TrackedRun:
    return start_run(store, name="tiny", tags={"fitgap.kind": "run"})


def _steps(run: TrackedRun) -> list[int]:
    return [point.step for point in connect(run.store.uri).get_metric_history(run.run_id, "val_loss")]


def _deliver(outbox: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "src.deliver", "--outbox", str(outbox)]
    return subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_server_killed_during_a_run_gets_every_metric_exactly_once(
    server: Server, server_store: Store, eventually: Eventually, tmp_path: Path
) -> None:
    (tmp_path / "curves.png").write_bytes(b"image")
    run = _start(server_store)
    run.log_metrics({"val_loss": 1.0, "nan": math.nan}, step=0)
    eventually(lambda: _steps(run) == [0])
    server.kill()
    for step in range(1, 30):
        run.log_metrics({"val_loss": 1 / step, "nan": math.nan}, step=step)
        time.sleep(0.02)
    run.log_params({"seed": 0})
    run.log_artifact(tmp_path / "curves.png")
    run.log_dataset(name="digits", source="here", digest="1", profile={})
    server.start()
    run.log_metrics({"val_loss": 0.01, "nan": math.nan}, step=30)
    result = run.finish()

    assert (result.delivered, result.reason) == (True, None)
    assert _steps(run) == list(range(31))
    stored = connect(server_store.uri).get_run(run.run_id)
    assert stored.info.status == "FINISHED"
    assert stored.data.params == {"seed": "0"}
    assert math.isnan(stored.data.metrics["nan"])
    assert len(stored.inputs.dataset_inputs) == 1
    assert [file.path for file in connect(server_store.uri).list_artifacts(run.run_id)] == ["curves.png"]
    assert not (server_store.outbox / run.run_id).exists()


def test_a_server_that_stays_away_leaves_a_run_that_a_command_delivers(
    server: Server, server_store: Store, tmp_path: Path
) -> None:
    # The run's process, which must end by itself although nothing could be delivered.
    program = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from src.tracking.store import Store\n"
        "from src.tracking.run import start_run\n"
        "store = Store(sys.argv[1], sys.argv[2], 'fitgap', Path(sys.argv[3]))\n"
        "run = start_run(store, name='tiny', tags={})\n"
        "print(run.run_id, flush=True)\n"
        "sys.stdin.readline()\n"
        "for step in range(20): run.log_metrics({'val_loss': step / 7}, step=step)\n"
        "run.log_text('seed: 0', 'config.yaml')\n"
        "begun = time.monotonic()\n"
        "result = run.finish('FAILED')\n"
        "print(result.delivered, result.pending, time.monotonic() - begun < 10, result.reason, result.command)\n"
    )
    outbox = tmp_path / "my outbox"
    arguments = [server_store.uri, server_store.experiment_id, str(outbox)]
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=PROJECT_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        server.kill()
        said, _ = process.communicate("go\n", timeout=60)

    assert process.returncode == 0
    assert said.strip() == f"False 22 True connection refused python -m src.deliver --outbox '{outbox}'"
    [while_away] = deliver_pending(outbox)
    assert (while_away.delivered, while_away.pending, while_away.reason) == (False, 22, "connection refused")

    server.start()
    delivered = _deliver(outbox)
    assert (delivered.returncode, delivered.stdout) == (0, f"delivered  tiny  {run_id}\n")
    assert delivered.stderr == ""
    stored = connect(server_store.uri).get_run(run_id)
    assert stored.info.status == "FAILED"
    history = connect(server_store.uri).get_metric_history(run_id, "val_loss")
    assert [(point.step, point.value) for point in history] == [(step, step / 7) for step in range(20)]
    assert connect(server_store.uri).list_artifacts(run_id)[0].path == "config.yaml"
    assert list(outbox.iterdir()) == []


def test_a_process_killed_during_a_run_is_closed_as_lost_with_all_its_metrics(store: Store) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from src.tracking.store import Store\n"
        "from src.tracking.run import start_run\n"
        "store = Store(sys.argv[1], sys.argv[2], 'fitgap', Path(sys.argv[3]))\n"
        "run = start_run(store, name='tiny', tags={})\n"
        "for step in range(50): run.log_metrics({'val_loss': step / 7}, step=step)\n"
        "print(run.run_id, flush=True)\n"
        "time.sleep(60)\n"
    )
    arguments = [store.uri, store.experiment_id, str(store.outbox)]
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        # As long as it lives, nobody else touches its journal.
        [alive] = deliver_pending(store.outbox)
        assert alive.active
        os.kill(process.pid, signal.SIGKILL)
    with (store.outbox / run_id / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"number": 99, "kind": "met')

    [result] = deliver_pending(store.outbox)
    assert (result.delivered, result.run_id, result.name) == (True, run_id, "tiny")
    stored = connect(store.uri).get_run(run_id)
    assert (stored.info.status, stored.data.tags["fitgap.state"]) == ("KILLED", "lost")
    # It ended with its last sign of life, not when somebody looked.
    assert stored.info.end_time - stored.info.start_time < 5000
    history = connect(store.uri).get_metric_history(run_id, "val_loss")
    assert [point.step for point in history] == list(range(50))
    assert deliver_pending(store.outbox) == []


def test_a_journal_that_another_has_already_delivered_changes_nothing(
    server_store: Store, eventually: Eventually, tmp_path: Path
) -> None:
    run = _start(server_store)
    for step in range(5):
        run.log_metrics({"val_loss": step / 3, "nan": math.nan, "inf": math.inf}, step=step)
    eventually(lambda: run._journal.count() == 0)
    copy = tmp_path / "copy"
    shutil.copytree(server_store.outbox / run.run_id, copy / run.run_id)
    (copy / run.run_id / "cursor.json").unlink()
    assert run.finish().delivered

    [result] = deliver_pending(copy)
    assert result.delivered
    stored = connect(server_store.uri).get_run(run.run_id)
    assert stored.info.status == "FINISHED"
    for key in ("val_loss", "nan", "inf"):
        assert len(connect(server_store.uri).get_metric_history(run.run_id, key)) == 5


def test_the_command_says_what_is_pending_and_exits_with_one(
    dead_store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["deliver"])
    monkeypatch.setenv("FITGAP_OUTBOX_DIR", str(dead_store.outbox))
    deliver.main()
    assert capsys.readouterr().out == "Nothing is pending.\n"

    for name in ("one", "two"):
        journal = open_journal(dead_store, f"{name:0<32}", name)
        journal.append("metrics", step=1, values={"val_loss": 0.5})
        journal.close()
    with pytest.raises(SystemExit, match="1"):
        run_command(deliver.main)
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert [line.split()[:2] for line in lines] == [["PENDING", "one"], ["PENDING", "two"]]
    assert lines[0].endswith("1 records: connection refused")
    assert said.err.startswith("Error: 2 runs are still pending.")
    assert said.err.endswith(f"python -m src.deliver --outbox {dead_store.outbox}\n")


def test_ctrl_c_ends_the_command_without_a_traceback(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        journal = open_journal(Store(uri, "1", "fitgap", tmp_path), "0" * 32, "tiny")
        journal.append("finish", status="FINISHED")
        journal.close()
        command = [sys.executable, "-m", "src.deliver", "--outbox", str(tmp_path)]
        with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=-1, stderr=-1, text=True) as process:
            silent.settimeout(60)
            with silent.accept()[0]:
                process.send_signal(signal.SIGINT)
                said = process.communicate(timeout=60)
    assert (process.returncode, *said) == (130, "", "")


def test_a_journal_without_a_header_is_reported_and_left(tmp_path: Path) -> None:
    (tmp_path / "0123").mkdir()
    (tmp_path / "0123" / "journal.jsonl").write_text("")

    [result] = deliver_pending(tmp_path)
    assert not result.delivered
    assert result.reason is not None
    assert "does not say which run" in result.reason
    assert (tmp_path / "0123").exists()
