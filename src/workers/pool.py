"""A pool of one worker process, which does one thing at a time."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from pathlib import Path
from typing import Any

from pebble import ProcessPool

from src.workers.death import Cause, WorkerLost
from src.workers.layout import Layout
from src.workers.note import Note
from src.workers.process import WorkerContext
from src.workers.worker import start_worker

#: How often a running job is looked after; its end is noticed at once.
_POLL_SECONDS = 0.1
#: How long a result may take that a process has sent before it ended.
_GRACE_SECONDS = 1.0
#: Processes that may end, one after the other, before they have taken the job.
_MAX_STARTS = 3


class WorkerPool:
    """A pebble pool of one process.

    Processes of one pebble pool share a pipe and its locks, and one that is killed at the wrong moment leaves them
    locked. So no two processes are in one pool here, and a pool whose process has died is thrown away.
    """

    def __init__(self, layout: Layout, environment: dict[str, str], errand: bytes, folder: Path, log: Path) -> None:
        """Starts the process, which makes itself ready for its first job.

        Args:
            layout: How processes are laid out.
            environment: Variables of this one.
            errand: What it is sent, packed.
            folder: Folder for files of all processes of the launcher.
            log: File for what it prints while it has no job.
        """
        self._capture = layout.capture
        self._used = False
        self._context = WorkerContext(environment, log if layout.capture else None)
        self._pool = ProcessPool(
            max_workers=1,
            initializer=start_worker,
            initargs=(errand, layout.preload, layout.memory_limit_gb, str(folder)),
            context=self._context,
        )
        # Asking has the pool start its process.
        self.is_usable()

    def is_usable(self) -> bool:
        """Whether the pool can take a job: not if its process died while it had none."""
        return bool(self._pool.active)

    def run(
        self,
        task: Callable[..., bytes],
        arguments: Sequence[Any],
        note_path: Path,
        *,
        on_begin: Callable[[], None],
        stopped: threading.Event,
        limit: Callable[[], float | None],
    ) -> bytes:
        """Runs a job and returns how it ended, packed.

        Args:
            task: The function of `src.workers.worker` that does it.
            arguments: Its arguments, before the two that all of them have.
            note_path: File for the process's note about it.
            on_begin: Is called once the process has taken the job.
            stopped: Ends the wait.
            limit: Returns the seconds that the job may take.

        Raises:
            WorkerLost: The process died, the job took too long, or the wait was ended; the pool is of no use then.
        """
        dead = len(self._context.find_dead())
        self._used = True
        try:
            future = self._pool.schedule(task, args=(*arguments, str(note_path), self._capture))
        except RuntimeError:
            raise self._lose(Cause.DIED, note_path) from None
        note: Note | None = None
        missed: float | None = None
        while not wait([future], timeout=_POLL_SECONDS).done:
            if note is None and (note := Note.read(note_path)) is not None:
                on_begin()
            if stopped.is_set():
                raise self._end(Cause.STOPPED, note_path)
            seconds = limit()
            if note is not None and seconds is not None and time.monotonic() - note.started > seconds:
                raise self._end(Cause.TIMEOUT, note_path)
            # pebble does not notice a process that ends in its job as if it were done, with exit code 0.
            if self._is_gone(note, dead):
                missed = missed or time.monotonic()
                if time.monotonic() - missed > _GRACE_SECONDS:
                    break
        try:
            return bytes(future.result(timeout=0))
        except Exception:
            cause = Cause.STOPPED if stopped.is_set() else Cause.DIED
            raise self._lose(cause, note_path) from None

    def kill(self) -> None:
        """Kills the process at once, and those that it has started; none follows it."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._context.signal(signal.SIGKILL)

    def close(self) -> None:
        """Ends the process and waits for it; it is killed where it does not end within seconds.

        One that has had no job has nothing to finish, and may be in the middle of an import: it is killed at once.
        """
        self._pool.stop()  # type: ignore[no-untyped-call]
        # pebble asks for it as well, but only on its next round.
        self._context.signal(signal.SIGTERM if self._used else signal.SIGKILL)
        with contextlib.suppress(RuntimeError):
            self._pool.join()
        self._context.clean_up()

    def _is_gone(self, note: Note | None, dead: int) -> bool:
        if not self._pool.active:
            return True
        if note is None:
            return len(self._context.find_dead()) - dead >= _MAX_STARTS
        process = self._context.find(note.pid)
        return process is None or not process.is_alive()

    def _end(self, cause: Cause, note_path: Path) -> WorkerLost:
        self.kill()
        return self._lose(cause, note_path)

    def _lose(self, cause: Cause, note_path: Path) -> WorkerLost:
        # What was read before may have been written before the job's folder was known.
        note = Note.read(note_path)
        process: Any = None
        if note is not None:
            process = self._context.find(note.pid)
        elif dead := self._context.find_dead():
            process = dead[-1]
        exitcode = None
        if process is not None:
            process.join(_GRACE_SECONDS)
            exitcode = process.exitcode
        pid = None if process is None else process.pid
        return WorkerLost(cause, note, pid=pid, exitcode=exitcode, log=self._context.log)
