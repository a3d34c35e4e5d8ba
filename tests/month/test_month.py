"""A few nights of a compressed month, as the command lives through them; `make month` lives through thirty."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from src.config.paths import PROJECT_ROOT

#: Seconds that a command may take until it is given up.
_PATIENCE_SECONDS = 1500


def live_through(folder: Path, *arguments: str) -> tuple[int, str]:
    """Runs the command, and returns its exit code and what it has printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.month", *arguments, "--folder", str(folder / "month")],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        output, _ = process.communicate(timeout=_PATIENCE_SECONDS)
    finally:
        # It ends all that it has started.
        process.terminate()
        process.wait()
    return process.returncode, output


def test_what_a_power_cut_and_a_full_disk_have_broken_off_is_made_up_for(tmp_path: Path) -> None:
    code, output = live_through(tmp_path, "--seed", "146", "--faults", "power-cut", "disk-full")
    assert code == 0, output
    assert "The books are in order." in output


@pytest.mark.slow
@pytest.mark.timeout(1600)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_books_of_nights_in_which_anything_may_go_wrong_are_in_order(seed: int, tmp_path: Path) -> None:
    code, output = live_through(tmp_path, "--seed", str(seed), "--nights", "7")
    assert code == 0, output


def test_a_night_that_is_not_in_the_month_is_refused(tmp_path: Path) -> None:
    code, output = live_through(tmp_path, "--seed", "1", "--nights", "2", "--night", "5")
    assert code == 2, output
    assert "--night must be one of 0 to 1, but got 5" in output
