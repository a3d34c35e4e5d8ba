"""A command, watched from outside: how long it took and how much memory its processes had."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Seconds between two looks at the processes.
INTERVAL = 0.2

_MEGABYTE = 2**20


class CommandError(RuntimeError):
    """A command failed; the message ends with what it printed last."""


@dataclass(frozen=True)
class Watched:
    """What was seen of a command.

    Attributes:
        started: When it started, in seconds since 1970.
        seconds: How long it took.
        largest_mb: Highest resident memory that any one of its processes had.
        total_mb: Highest resident memory of all its processes at one time; what they share counts for each.
        output: What it printed.
    """

    started: float
    seconds: float
    largest_mb: float
    total_mb: float
    output: str


def watch_command(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Watched:
    """Runs a command in a folder to its end, with all processes that it starts.

    Raises:
        CommandError: It failed.
    """
    largest = total = 0.0
    started, clock = time.time(), time.perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            while process.poll() is None:
                sizes = measure_processes(process.pid)
                largest, total = max(largest, *sizes), max(total, sum(sizes))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(INTERVAL)
        except BaseException:
            kill_processes(process.pid)
            raise
        seconds = time.perf_counter() - clock
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise CommandError(f"{' '.join(command[:3])} … failed with exit code {process.returncode}:\n{text[-3000:]}")
    return Watched(started, seconds, largest, total, text)


def measure_processes(pid: int) -> list[float]:
    """Returns the resident memory, in MB, of a process and of all below it; 0 for one that is gone."""
    sizes = [0.0]
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                sizes.append(process.memory_info().rss / _MEGABYTE)
    return sizes


def kill_processes(pid: int) -> None:
    """Kills a process and all below it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (*root.children(recursive=True), root):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
