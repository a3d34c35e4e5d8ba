"""Our launcher under Hydra's own sweeper, with an application that knows nothing of either; all as a user starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from src.config.paths import PROJECT_ROOT
from tests.workers import tasks

APP = Path(__file__).parent / "apps" / "app.py"


def start_app(folder: Path, *overrides: str) -> subprocess.Popen[str]:
    """Starts a multirun of the application in a session of its own."""
    return subprocess.Popen(
        [sys.executable, str(APP), "-m", f"hydra.sweep.dir={folder}", *overrides],
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "PIDS": f"{folder}.pids", "TMPDIR": str(folder.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def read_job(folder: Path, number: int, file: str = "output.log") -> str:
    return (folder / str(number) / file).read_text(encoding="utf-8")


def test_any_application_runs_in_worker_processes(tmp_path: Path) -> None:
    app = start_app(tmp_path / "out", "hydra.launcher.n_jobs=2", "x=1,2,3")
    out, err = app.communicate(timeout=120)
    assert app.returncode == 0
    assert err == ""
    assert "Running 3 jobs, 2 at a time" in out
    # What jobs print and log does not get in the way.
    assert "printing" not in out
    for number in range(3):
        x = number + 1
        assert read_job(tmp_path / "out", number).startswith(f"printing {x}\n")
        assert f"logging {x} below the root" in read_job(tmp_path / "out", number, "app.log")
        assert f"x: {x}\n" in read_job(tmp_path / "out", number, ".hydra/config.yaml")
        assert f"num: {number}\n" in read_job(tmp_path / "out", number, ".hydra/hydra.yaml")
    # Nothing is left in the folder for temporary files.
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_jobs_that_fail_exit_or_die_leave_the_others_alone(tmp_path: Path) -> None:
    app = start_app(tmp_path / "out", "what=raise,exit,die,square")
    _, err = app.communicate(timeout=120)
    assert app.returncode == 1
    assert "FragileError: 1 and 2" in err
    assert [read_job(tmp_path / "out", number).splitlines()[0] for number in range(4)] == ["printing 1"] * 4


def test_no_process_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    app = start_app(tmp_path / "out", "what=sleep", "hydra.launcher.reuse=false")
    pids = [int(pid) for pid in tasks.wait_for(tmp_path / "out.pids").split()]
    processes = tasks.find_family(app.pid)
    assert set(pids) < set(processes)
    app.kill()
    app.communicate(timeout=60)
    tasks.wait_until_gone(*processes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.pids"]


def test_ctrl_c_ends_the_parent_which_ends_its_workers(tmp_path: Path) -> None:
    app = start_app(tmp_path / "out", "what=sleep", "x=1,2")
    pids = [int(pid) for pid in tasks.wait_for(tmp_path / "out.pids").split()]
    processes = tasks.find_family(app.pid)
    os.killpg(app.pid, signal.SIGINT)
    _, err = app.communicate(timeout=60)
    assert app.returncode != 0
    assert "KeyboardInterrupt" in err
    tasks.wait_until_gone(*pids, *processes)
    # It reached the parent alone.
    assert "KeyboardInterrupt" not in read_job(tmp_path / "out", 0)
