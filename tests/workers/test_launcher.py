"""What a Hydra application may lean on in its jobs, and what is said of a wrong `hydra.launcher`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from src.config.paths import PROJECT_ROOT

APP = Path(__file__).parent / "apps" / "doubling.py"


def run_app(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    """Runs a multirun of the application in a folder, with Hydra's own sweeper and our launcher."""
    return subprocess.run(
        [sys.executable, str(APP), "-m", "hydra/sweeper=basic", "hydra/launcher=fitgap", *overrides],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_resolvers_of_the_main_module_work_in_jobs_and_so_do_a_relative_folder_and_chdir(tmp_path: Path) -> None:
    answer = run_app(
        tmp_path,
        "+x=1,2,3,4,5",
        "+value='${double:${x}}'",
        "hydra.launcher.n_jobs=2",
        "hydra.sweep.dir=some/where",
        "hydra.sweep.subdir='job-${hydra:job.num}-${x}'",
        "hydra.job.chdir=true",
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    folder = tmp_path / "some" / "where"
    jobs = [folder / f"job-{number}-{number + 1}" for number in range(5)]
    assert sorted(folder.iterdir()) == sorted([*jobs, folder / "multirun.yaml"])
    for number, job in enumerate(jobs):
        assert read(job / "here.txt") == str(2 * (number + 1))
        assert f"+x={number + 1}" in read(job / ".hydra" / "overrides.yaml")
        assert f"output_dir: {job}" in read(job / ".hydra" / "hydra.yaml")
        assert sorted(path.name for path in (job / ".hydra").iterdir()) == [
            "config.yaml",
            "hydra.yaml",
            "overrides.yaml",
        ]


def test_jobs_share_the_folder_whose_name_is_the_time_at_which_the_multirun_began(tmp_path: Path) -> None:
    answer = run_app(tmp_path, "+value=1,2,3", "hydra.launcher.reuse=false")
    assert (answer.returncode, answer.stderr) == (0, "")
    (folder,) = tmp_path.glob("multirun/*/*")
    assert sorted(path.name for path in folder.iterdir()) == ["0", "1", "2", "multirun.yaml"]
    # Without hydra.job.chdir jobs stay where the multirun was started.
    assert read(tmp_path / "here.txt") in "123"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("n_jobs", "0"),
        ("gpus", "99"),
        ("trials_per_gpu", "many"),
        ("gpu_memory", "most"),
        ("reuse", "perhaps"),
        ("threads", "-1"),
        ("preload", "[import os]"),
        ("memory_limit_gb", "-2"),
    ],
)
def test_a_wrong_setting_ends_the_program_before_any_job_and_is_named(tmp_path: Path, key: str, value: str) -> None:
    answer = run_app(tmp_path, "+value=1,2", f"hydra.launcher.{key}={value}", "hydra.sweep.dir=out")
    assert answer.returncode != 0
    assert f"hydra.launcher.{key}" in answer.stderr
    assert not (tmp_path / "here.txt").exists()
