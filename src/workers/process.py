"""How worker processes are started: apart from the terminal, with variables of their own, without the main module.

This is what `multiprocessing` does to spawn a process, save that its environment, its session and its output are set
before the interpreter starts: libraries read variables such as `OMP_NUM_THREADS` when they are loaded. The main module
is not imported once more, as what a job needs of it is sent by value; a script need not guard its last line.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from multiprocessing import reduction, resource_tracker, spawn, util
from multiprocessing.context import SpawnContext, set_spawning_popen
from multiprocessing.popen_spawn_posix import Popen as SpawnPopen
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil


class WorkerContext(SpawnContext):
    """Starts processes for pebble, and knows all that it has started."""

    def __init__(self, environment: Mapping[str, str], log: Path | None) -> None:
        """Takes the variables to set, and the file for what is printed while there is no job; None is the terminal."""
        super().__init__()
        self.environment = dict(environment)
        self.log = log
        self.processes: list[WorkerProcess] = []

    def Process(self, *args: Any, **kwargs: Any) -> WorkerProcess:  # type: ignore[override]
        """Returns a process that is not yet started; called by pebble."""
        process = WorkerProcess(*args, **kwargs)
        process.environment, process.log = self.environment, self.log
        self.processes.append(process)
        return process

    def find(self, pid: int) -> WorkerProcess | None:
        """Returns the process with this id; None where there was none."""
        return next((process for process in list(self.processes) if process.pid == pid), None)

    def find_dead(self) -> list[WorkerProcess]:
        """Returns the processes that have ended, in the order in which they were started."""
        return [process for process in list(self.processes) if process.pid is not None and not process.is_alive()]

    def signal(self, number: int) -> None:
        """Sends all processes that live a signal, and theirs too where it is SIGKILL."""
        for process in list(self.processes):
            if process.pid is not None and process.is_alive():
                with contextlib.suppress(ProcessLookupError):
                    if number == signal.SIGKILL:
                        os.killpg(process.pid, number)
                    else:
                        os.kill(process.pid, number)

    def clean_up(self) -> None:
        """Kills what processes that have ended have started and left behind."""
        for process in self.find_dead():
            assert process.pid is not None
            if psutil.pid_exists(process.pid):
                # It has ended long ago, and somebody else has its number by now.
                continue
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)


class WorkerProcess(BaseProcess):
    """A worker process; it leads a session, so that Ctrl-C in the terminal does not reach it."""

    _start_method = "spawn"
    environment: dict[str, str]
    log: Path | None

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> _WorkerPopen:
        return _WorkerPopen(process_obj)


class _WorkerPopen(SpawnPopen):
    """The start of one process; the names are those of the class that it extends."""

    _fds: list[int]
    _started: subprocess.Popen[Any]

    def _launch(self, process_obj: WorkerProcess) -> None:
        tracker = resource_tracker.getfd()
        assert tracker is not None
        data = self._pickle(process_obj)
        parent_reads, child_writes = os.pipe()
        child_reads, parent_writes = os.pipe()
        self.finalizer = util.Finalize(self, _close, [(parent_reads, parent_writes)])
        self.sentinel = parent_reads
        with contextlib.ExitStack() as stack:
            stack.callback(_close, (child_reads, child_writes))
            log = None if process_obj.log is None else stack.enter_context(process_obj.log.open("ab"))
            self._started = subprocess.Popen(
                spawn.get_command_line(tracker_fd=tracker, pipe_handle=child_reads),
                env={**os.environ, **process_obj.environment},
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[*self._fds, tracker, child_reads, child_writes],
            )
        self.pid = self._started.pid
        with contextlib.suppress(BrokenPipeError), open(parent_writes, "wb", closefd=False) as pipe:
            pipe.write(data)

    def _pickle(self, process: WorkerProcess) -> bytes:
        preparation = spawn.get_preparation_data(process.name)
        for key in ("init_main_from_name", "init_main_from_path"):
            preparation.pop(key, None)
        buffer = io.BytesIO()
        set_spawning_popen(self)
        try:
            reduction.dump(preparation, buffer)
            reduction.dump(process, buffer)
        finally:
            set_spawning_popen(None)
        return buffer.getvalue()

    def poll(self, flag: int = os.WNOHANG) -> int | None:
        if self.returncode is None:
            self.returncode = self._started.poll() if flag == os.WNOHANG else self._started.wait()
        return self.returncode


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
