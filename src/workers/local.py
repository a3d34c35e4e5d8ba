"""The worker processes of this machine: a slot runs one job at a time, and whatever ends a job costs no other."""

from __future__ import annotations

import atexit
import os
import queue
import shutil
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cloudpickle
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig
from pebble import ProcessExpired, ProcessPool

from src.workers.errors import JobTimeoutError, WorkerDiedError
from src.workers.layout import Layout
from src.workers.worker import Errand, start_worker, work

#: Lines of a dead job's output that its error repeats.
_TAIL_LINES = 20
#: What libraries print when memory runs out, shortly before they abort the process.
_MEMORY_SIGNS = ("std::bad_alloc", "out of memory", "Out of memory", "RESOURCE_EXHAUSTED", "MemoryError")


class LocalWorkers:
    """Worker processes on this machine, in slots.

    Each slot is a small pool of its own, so that processes of different slots have nothing in common. Where processes
    are not reused, a slot keeps a second one that has imported everything already: the next job need not wait for that.

    Attributes:
        slots: Jobs that run at a time.
        kill_after: Seconds after which a job is killed; None is no limit.
    """

    def __init__(self, layout: Layout, context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Starts nothing yet."""
        self.slots = layout.slots
        self.kill_after: float | None = None
        self._layout = layout
        self._parts = (context, task_function, config)
        self._guard = threading.Lock()
        self._started: list[_Slot] = []
        self._free: queue.Queue[_Slot] = queue.Queue()
        self._notes = ""

    def start(self) -> None:
        """Starts the processes, which import what is to be preloaded meanwhile; later calls do nothing."""
        with self._guard:
            if self._started:
                return
            errand = bytes(cloudpickle.dumps(Errand.collect(*self._parts)))
            self._notes = tempfile.mkdtemp(prefix="fitgap-workers-")
            for number, environment in enumerate(self._layout.environments):
                slot = _Slot(self._layout, environment, errand, Path(self._notes) / str(number))
                self._started.append(slot)
                self._free.put(slot)
            atexit.register(self.close)

    def run(self, jobs: Sequence[Sequence[str]], first_number: int) -> list[JobReturn]:
        """Runs jobs, each as soon as a slot is free, and returns how they ended, in their order.

        May be called from several threads at once.
        """
        self.start()
        if len(jobs) == 1:
            return [self._run(jobs[0], first_number)]
        with ThreadPoolExecutor(self.slots) as threads:
            numbers = range(first_number, first_number + len(jobs))
            return list(threads.map(self._run, jobs, numbers))

    def stop(self) -> None:
        """Kills all processes; the jobs that they were running have failed."""
        with self._guard:
            slots, self._started = self._started, []
        for slot in slots:
            slot.stop()
        if self._notes:
            shutil.rmtree(self._notes, ignore_errors=True)

    def close(self) -> None:
        """Ends the processes, which are expected to have nothing to do."""
        atexit.unregister(self.close)
        self.stop()

    def _run(self, overrides: Sequence[str], number: int) -> JobReturn:
        slot = self._free.get()
        try:
            status, value = slot.run(overrides, number, self.kill_after)
        finally:
            self._free.put(slot)
        result = JobReturn()
        result.overrides = list(overrides)
        result.status = status
        result.return_value = value
        return result


class _Slot:
    """One job at a time, in a process of its own."""

    def __init__(self, layout: Layout, environment: dict[str, str], errand: bytes, note: Path) -> None:
        self._note = note
        self._pool = ProcessPool(
            max_workers=1 if layout.reuse else 2,
            max_tasks=0 if layout.reuse else 1,
            initializer=start_worker,
            initargs=[errand, environment, layout.preload, layout.memory_limit_gb, str(note), os.getpid()],
            context=get_context("spawn"),
        )
        # Asking has the pool start its processes.
        assert self._pool.active

    def run(self, overrides: Sequence[str], number: int, kill_after: float | None) -> tuple[JobStatus, Any]:
        self._note.unlink(missing_ok=True)
        killed_before = _count_kernel_kills()
        try:
            future = self._pool.schedule(work, args=[list(overrides), number], timeout=kill_after)
            status, value = cloudpickle.loads(future.result())
            return status, value
        except FutureTimeoutError:
            return JobStatus.FAILED, JobTimeoutError(
                f"The job was killed after {kill_after:g} seconds: it did not end when its time was over."
            )
        except ProcessExpired as error:
            tail = self._read_tail()
            memory = any(sign in tail for sign in _MEMORY_SIGNS) or _count_kernel_kills() > killed_before
            return JobStatus.FAILED, WorkerDiedError(error.pid, error.exitcode, tail, out_of_memory=memory)
        except (CancelledError, RuntimeError) as error:
            if self._pool.active:
                return JobStatus.FAILED, error
            return JobStatus.FAILED, WorkerDiedError(None, None, "")
        except Exception as error:
            return JobStatus.FAILED, error

    def stop(self) -> None:
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()

    def _read_tail(self) -> str:
        try:
            output = Path(self._note.read_text(encoding="utf-8"))
            lines = output.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-_TAIL_LINES:])


def _count_kernel_kills() -> int:
    """Returns how many processes of this container the kernel has killed for want of memory, where it tells."""
    for path in (Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control")):
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    return 0
