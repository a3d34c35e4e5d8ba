"""A slot: one job at a time, in a process that is its own as long as the job runs."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from src.gpus.lease import Lease
from src.workers.answer import SlotReturn, fail_job, unpack_answer, wants_new_process
from src.workers.death import Cause, WorkerLost, count_kernel_kills
from src.workers.pool import WorkerPool
from src.workers.worker import call, work

#: How often a job is given to a process before it is believed that none can take it.
_ATTEMPTS = 2


class Slot:
    """Runs one job at a time.

    Where processes are not reused, the next one is started as soon as a job begins, and has imported everything by the
    time that job is done. It gets its job once the process before it is gone, and the memory of a GPU with it.

    Attributes:
        lease: What its processes have of a GPU; None where they have none.
    """

    def __init__(
        self,
        make_pool: Callable[[Path], WorkerPool],
        folder: Path,
        stopped: threading.Event,
        begun: threading.Event,
        *,
        reuse: bool,
        lease: Lease | None = None,
    ) -> None:
        """Starts nothing yet.

        Args:
            make_pool: Starts a process, whose output goes to the given file.
            folder: Folder for the files of this slot.
            stopped: Whether all jobs shall end at once.
            begun: Is set as soon as a process has taken a job.
            reuse: Whether a process takes one job after the other.
            lease: What its processes have of a GPU.
        """
        self.lease = lease
        self._make_pool = make_pool
        self._folder = folder
        self._stopped = stopped
        self._begun = begun
        self._reuse = reuse
        self._closed = False
        self._guard = threading.Lock()
        self._numbers = itertools.count()
        self._ready: WorkerPool | None = None
        self._pools: set[WorkerPool] = set()
        self._leaving: list[threading.Thread] = []

    def warm(self) -> None:
        """Has a process ready for the next job, or on its way."""
        with self._guard:
            if self._ready is None and not self._is_over():
                self._ready = self._make()

    def run(self, overrides: Sequence[str], number: int, limit: Callable[[], float | None]) -> SlotReturn:
        """Runs a job and returns how it ended; `limit` returns the seconds that it may take at present."""
        return self._do(work, (list(overrides), number), overrides, limit, followed=True)

    def call(self, packed: bytes) -> SlotReturn:
        """Has the process that is ready for the next job call a function, and returns what came of it as of a job."""
        return self._do(call, (packed,), (), lambda: None, followed=False)

    def _do(
        self,
        task: Callable[..., bytes],
        arguments: Sequence[Any],
        overrides: Sequence[str],
        limit: Callable[[], float | None],
        *,
        followed: bool,
    ) -> SlotReturn:
        """Does what a process can do; `followed` says whether a job will follow, for which one has to be ready."""
        for attempt in range(_ATTEMPTS):
            kills = count_kernel_kills()
            if self._is_over():
                lost = WorkerLost(Cause.STOPPED, None, pid=None, exitcode=None, log=None)
                return fail_job(overrides, lost.explain())
            pool = self._take()
            try:
                answer = pool.run(
                    task,
                    arguments,
                    self._folder / f"job-{next(self._numbers)}.json",
                    on_begin=self._note_begin if followed else lambda: None,
                    stopped=self._stopped,
                    limit=limit,
                )
            except WorkerLost as lost:
                self._dismiss(pool)
                self.warm()
                if lost.note is None and lost.cause is Cause.DIED and attempt + 1 < _ATTEMPTS:
                    # It died before it had a job, perhaps long ago.
                    continue
                error = lost.explain(kernel_kills=count_kernel_kills() - kills, limit=limit())
                failed = fail_job(overrides, error)
                failed.lease = self.lease
                return failed
            except BaseException:
                # Ctrl-C in the thread that waits for the job.
                pool.kill()
                self._dismiss(pool)
                raise
            if followed:
                # A short job may be over before anybody has looked whether it has begun.
                self._begun.set()
            result = unpack_answer(answer, overrides)
            result.lease = self.lease
            reuse = self._reuse and not wants_new_process(result)
            self._give_back(pool, reuse=reuse or not followed)
            return result
        raise AssertionError("The last attempt returns.")

    def rest(self) -> None:
        """Ends the process that waits for the next job, and waits for it and those before it; `warm` starts another."""
        with self._guard:
            pool, self._ready = self._ready, None
        if pool is not None:
            self._dismiss(pool)
        self.await_leaving()

    def await_leaving(self) -> None:
        """Waits for the processes of jobs that have ended: as long as one lives, it has its memory."""
        leaving, self._leaving = self._leaving, []
        for thread in leaving:
            thread.join()

    def kill(self) -> None:
        """Kills the slot's processes at once."""
        with self._guard:
            pools = list(self._pools)
        for pool in pools:
            pool.kill()

    def close(self) -> None:
        """Ends the slot's processes and waits for them."""
        with self._guard:
            # A job that still runs loses its process, and must not get another one.
            self._closed = True
            pools, self._ready = list(self._pools), None
        for pool in pools:
            self._dismiss(pool)
        for thread in self._leaving:
            thread.join()

    def _is_over(self) -> bool:
        return self._closed or self._stopped.is_set()

    def _make(self) -> WorkerPool:
        pool = self._make_pool(self._folder / f"process-{next(self._numbers)}.log")
        self._pools.add(pool)
        if self._stopped.is_set():
            pool.kill()
        return pool

    def _take(self) -> WorkerPool:
        self.await_leaving()
        with self._guard:
            pool, self._ready = self._ready, None
            if pool is not None and pool.is_usable():
                return pool
        if pool is not None:
            self._dismiss(pool)
        with self._guard:
            return self._make()

    def _note_begin(self) -> None:
        self._begun.set()
        if not self._reuse:
            # The next process makes itself ready meanwhile.
            self.warm()

    def _give_back(self, pool: WorkerPool, *, reuse: bool) -> None:
        if reuse:
            with self._guard:
                spare, self._ready = self._ready, pool
            if spare is not None:
                self._dismiss(spare)
        else:
            self._dismiss(pool)
            self.warm()

    def _dismiss(self, pool: WorkerPool) -> None:
        """Ends a process in the background: libraries may have much to clean up when it ends."""
        with self._guard:
            if pool not in self._pools:
                return
            self._pools.discard(pool)
        thread = threading.Thread(target=pool.close, name="fitgap-worker-end", daemon=True)
        self._leaving.append(thread)
        thread.start()
