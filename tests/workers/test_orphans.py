"""No process is left behind, whatever becomes of the one that started it; all with real processes and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from src.config.paths import PROJECT_ROOT
from tests.workers import tasks

APP = Path(__file__).parent / "apps" / "stubborn.py"


def start_app(folder: Path, *overrides: str) -> subprocess.Popen[str]:
    """Starts two jobs of the application in a folder, side by side, in a session of its own."""
    return subprocess.Popen(
        [
            *(sys.executable, str(APP), "-m", "hydra/sweeper=basic", "hydra/launcher=fitgap", "+name=a,b"),
            *("hydra.launcher.n_jobs=2", "hydra.sweep.dir=out", *overrides),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "CUDA_VISIBLE_DEVICES": "", "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_jobs(folder: Path) -> list[int]:
    """Returns the processes of both jobs and those that they have started, once all are there."""
    return [int(pid) for name in "ab" for pid in tasks.wait_for(folder / f"{name}.pids").split()]


@pytest.mark.parametrize("reuse", ["true", "false"])
def test_a_parent_that_is_killed_leaves_nothing_behind_even_of_jobs_that_do_not_end_when_asked(
    tmp_path: Path, reuse: str
) -> None:
    app = start_app(tmp_path, f"hydra.launcher.reuse={reuse}")
    jobs = wait_for_jobs(tmp_path)
    # Spare processes and Python's own helpers are among them.
    family = tasks.find_family(app.pid)
    assert set(jobs) <= set(family)
    app.kill()
    app.communicate(timeout=60)
    tasks.wait_until_gone(*family)
    strangers = [process.pid for process in psutil.process_iter() if str(tmp_path) in get_place(process)]
    assert strangers == []


def test_a_worker_that_is_killed_takes_along_what_its_job_has_started(tmp_path: Path) -> None:
    app = start_app(tmp_path)
    worker, child, *others = wait_for_jobs(tmp_path)
    os.kill(worker, signal.SIGKILL)
    tasks.wait_until_gone(worker, child)
    assert all(map(tasks.is_alive, others))
    (tmp_path / "go").touch()
    _, err = app.communicate(timeout=60)
    assert "was killed by SIGKILL" in err
    assert "came to its end" in (tmp_path / "out" / "1" / "output.log").read_text(encoding="utf-8")


def test_ctrl_c_in_the_terminal_reaches_the_parent_alone(tmp_path: Path) -> None:
    app = start_app(tmp_path)
    jobs = wait_for_jobs(tmp_path)
    os.killpg(app.pid, signal.SIGINT)
    tasks.wait_for(tmp_path / "heard")
    assert all(map(tasks.is_alive, jobs))
    (tmp_path / "go").touch()
    _, err = app.communicate(timeout=60)
    assert (app.returncode, err) == (0, "")
    for number in "01":
        assert (tmp_path / "out" / number / "output.log").read_text(encoding="utf-8") == "came to its end\n"


def get_place(process: psutil.Process) -> str:
    """Returns where a process runs; nothing where it may not be asked, or is gone."""
    try:
        return str(process.cwd())
    except psutil.Error:
        return ""
