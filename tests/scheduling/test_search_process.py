"""The process of a search: ended in time, told of signals, waited for until it has closed its books."""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from src.scheduling import search_process
from src.scheduling.search_process import run_search, search_command
from tests.sweep.site import wait_until

#: Closes its books when it is told to end, and says by what it was told.
SEARCH = """
import signal, sys, time
def end(number, frame):
    print("closing the books", flush=True)
    sys.exit(128 + number)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
print("ready", flush=True)
time.sleep(600)
"""


def command(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_search_is_the_sweep_by_hand_with_overrides() -> None:
    assert search_command("nightly", ["a=1"]) == [
        sys.executable, "-m", "src.train", "-m", "sweeps=nightly", "a=1"
    ]  # fmt: skip


@pytest.mark.parametrize(("code", "exit_code"), [("print('done')", 0), ("import sys; sys.exit(3)", 3)])
def test_what_a_search_prints_is_kept_and_its_exit_code_told(code: str, exit_code: int, tmp_path: Path) -> None:
    pids: list[int] = []
    log = tmp_path / "new" / "log"
    ended = run_search(command(code), log, None, [], pids.append)
    assert (ended.exit_code, ended.signal, ended.out_of_time) == (exit_code, None, False)
    assert log.read_text() == ("done\n" if exit_code == 0 else "")
    assert len(pids) == 1


def test_a_search_whose_time_is_over_is_told_to_end(tmp_path: Path) -> None:
    until = datetime.now(UTC) + timedelta(seconds=0.2)
    ended = run_search(command("import time; time.sleep(600)"), tmp_path / "log", until, [], lambda pid: None)
    assert (ended.exit_code, ended.signal, ended.out_of_time) == (-signal.SIGTERM, None, True)
    assert datetime.now(UTC) >= until


def test_a_search_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    # Nothing can be read of a pipe whose other end all children have closed.
    reader, writer = os.pipe()
    code = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], close_fds=False)
print("ready", flush=True)
time.sleep(600)
"""
    log = tmp_path / "log"

    def await_readiness(pid: int) -> None:
        wait_until(lambda: log.read_text() == "ready\n", "it does not listen any more")

    ended = run_search(command(code), log, datetime.now(UTC), [writer], await_readiness, stop_seconds=0.5)
    os.close(writer)
    assert (ended.exit_code, ended.out_of_time, ended.killed) == (-signal.SIGKILL, True, True)
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_a_search_is_not_left_alone_by_an_error(tmp_path: Path) -> None:
    pids: list[int] = []

    def fail(pid: int) -> None:
        pids.append(pid)
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        run_search(command("import time; time.sleep(600)"), tmp_path / "log", None, [], fail)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_an_end_is_a_moment_also_in_an_hour_that_comes_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    berlin = ZoneInfo("Europe/Berlin")

    class SecondHour(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime(2026, 10, 25, 2, 10, tzinfo=berlin, fold=1).astimezone(tz)

    monkeypatch.setattr(search_process, "datetime", SecondHour)
    until = datetime(2026, 10, 25, 2, 30, tzinfo=berlin)
    ended = run_search(command("import time; time.sleep(600)"), tmp_path / "log", until, [], lambda pid: None)
    assert ended.out_of_time


@pytest.mark.parametrize(
    ("number", "passed"),
    [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGTERM), (signal.SIGHUP, signal.SIGTERM)],
)
def test_a_signal_is_passed_on_and_waited_out(number: signal.Signals, passed: signal.Signals, tmp_path: Path) -> None:
    log = tmp_path / "log"
    # Sends the signal to who has started it, once that can only mean the search.
    code = SEARCH.replace("time.sleep(600)", f"import os; os.kill({os.getpid()}, {int(number)}); time.sleep(600)")
    handler = signal.getsignal(number)
    ended = run_search(command(code), log, None, [], lambda pid: None)
    assert (ended.exit_code, ended.signal, ended.out_of_time) == (128 + passed, number, False)
    assert log.read_text() == "ready\nclosing the books\n"
    assert signal.getsignal(number) == handler


def test_a_search_inherits_the_locks_that_it_is_given(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as file:
        code = f"import os; print(os.fstat({file.fileno()}).st_ino)"
        run_search(command(code), tmp_path / "log", None, [file.fileno()], lambda pid: None)
        assert (tmp_path / "log").read_text() == f"{os.fstat(file.fileno()).st_ino}\n"
