"""The worker processes of this machine: a slot runs one job at a time, and whatever ends a job costs no other."""

from __future__ import annotations

import atexit
import logging
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from src.gpus.lease import Lease
from src.workers.answer import SlotReturn
from src.workers.errand import pack_call, pack_errand
from src.workers.errors import JobGivenUpError
from src.workers.layout import Layout
from src.workers.neighbours import Neighbours
from src.workers.pool import WorkerPool
from src.workers.slot import Slot
from src.workers.vacancies import Vacancies
from src.workers.worker import OUTPUT_FILE

_log = logging.getLogger(__name__)


class LocalWorkers:
    """Worker processes on this machine, in slots that have nothing in common.

    Attributes:
        slots: Jobs that run at a time.
        kill_after: Seconds after which a job is killed, counted from when a process has taken it; None is no limit. May
            be changed at any time.
        begun: Is set as soon as a process has taken a job.
    """

    def __init__(self, layout: Layout, context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Starts nothing yet."""
        self.slots = layout.slots
        self.kill_after: float | None = None
        self.begun = threading.Event()
        self._layout = layout
        self._parts = (context, task_function, config)
        self._guard = threading.Lock()
        self._stopped = threading.Event()
        self._opened: list[Slot] = []
        self._vacancies = Vacancies()
        self._neighbours = Neighbours()
        self._folder: Path | None = None

    @property
    def held_back(self) -> int:
        """Slots without a job that take none at present, as a job that is run again is to be alone on their GPU."""
        return self._vacancies.held_back

    def start(self) -> None:
        """Starts a process in each slot, which imports what is to be preloaded meanwhile; returns at once.

        Raises:
            ConfigError: The task function cannot be sent to a process.
        """
        for slot in self._open():
            slot.warm()

    def run(self, jobs: Sequence[Sequence[str]], first_number: int) -> list[JobReturn]:
        """Runs jobs, each as soon as a slot is free, and returns how they ended, in their order.

        A job that fails, or whose process dies, is a `JobReturn` that says so. May be called from several threads.

        Raises:
            ConfigError: The task function cannot be sent to a process.
        """
        self._open()
        if len(jobs) == 1:
            return [self._run(jobs[0], first_number)]
        numbers = range(first_number, first_number + len(jobs))
        _log.info("Running %d jobs, %d at a time; each prints to %s in its folder", len(jobs), self.slots, OUTPUT_FILE)
        for number, overrides in zip(numbers, jobs, strict=True):
            _log.info("\t#%d : %s", number, " ".join(filter_overrides(overrides)))
        with ThreadPoolExecutor(self.slots) as threads:
            try:
                return list(threads.map(self._run, jobs, numbers))
            except BaseException:
                # Ctrl-C; leaving the block waits for the jobs.
                self.stop()
                raise

    def run_alone(
        self, overrides: Sequence[str], number: int, lease: Lease, wanted: Callable[[], bool] = lambda: True
    ) -> JobReturn:
        """Runs a job with nobody of ours beside it on the GPU of a lease, and returns how it ended.

        It waits until the jobs that run there have ended, and none begins there until it has. Processes that wait there
        for their next job are ended before: they may hold memory.

        Args:
            overrides: The job's overrides.
            number: Its number.
            lease: What it had of the GPU.
            wanted: Whether it shall be run still, for as long as it waits.

        Raises:
            ConfigError: The task function cannot be sent to a process.
            JobGivenUpError: It has waited until it was not wanted any more.
        """
        self._open()
        vacancies = self._vacancies
        slots = vacancies.take_gpu(lease.device, wanted)
        if slots is None:
            raise JobGivenUpError(f"The job has not begun: it waited to be alone on GPU {lease.device}.")
        try:
            for slot in slots:
                slot.rest()
            return self._run_in_whole(lease.alone(), overrides, number)
        finally:
            try:
                # Before anybody can take them: a slot that has a job has its process already.
                for slot in slots:
                    slot.warm()
            finally:
                vacancies.give_back_gpu(lease.device, slots)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Calls a function in a process, as soon as a slot is free; returns at once.

        Returns:
            What it will have returned, or raised; or the error that its process died.

        Raises:
            ConfigError: The task function cannot be sent to a process.
        """
        self._open()
        packed, answer, vacancies = pack_call(function, arguments), Future[Any](), self._vacancies

        def work() -> None:
            slot = vacancies.take()
            try:
                result = slot.call(packed)
            except BaseException as error:
                answer.set_exception(error)
                return
            finally:
                vacancies.give_back(slot)
            # Its property of this name would print something, too.
            value = result._return_value
            if result.status is JobStatus.COMPLETED:
                answer.set_result(value)
            else:
                answer.set_exception(value)

        # No thread that the end of this process would wait for: whoever is interrupted waits no longer.
        threading.Thread(target=work, name="fitgap-call", daemon=True).start()
        return answer

    def stop(self) -> None:
        """Kills all processes at once, for good: the jobs that they run have failed, and so has each that follows."""
        self._stopped.set()
        with self._guard:
            slots = list(self._opened)
        for slot in slots:
            slot.kill()

    def close(self) -> None:
        """Ends the processes, which are expected to have nothing to do, and waits for them."""
        with self._guard:
            slots, self._opened = self._opened, []
            folder, self._folder = self._folder, None
            self._vacancies = Vacancies()
        endings = [threading.Thread(target=slot.close) for slot in slots]
        for ending in endings:
            ending.start()
        for ending in endings:
            ending.join()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        atexit.unregister(self.close)

    def _open(self) -> list[Slot]:
        with self._guard:
            if not self._opened:
                errand = pack_errand(*self._parts)
                self._folder = folder = Path(tempfile.mkdtemp(prefix="fitgap-workers-"))
                layout = self._layout
                for number, (environment, lease) in enumerate(zip(layout.environments, layout.leases, strict=True)):
                    place = folder / str(number)
                    place.mkdir()
                    slot = self._make_slot(environment, errand, folder, place, reuse=layout.reuse, lease=lease)
                    self._opened.append(slot)
                self._vacancies = Vacancies(self._opened)
                atexit.register(self.close)
            return list(self._opened)

    def _make_slot(
        self,
        environment: dict[str, str],
        errand: bytes,
        folder: Path,
        place: Path,
        *,
        reuse: bool,
        lease: Lease | None,
    ) -> Slot:
        def make_pool(log: Path) -> WorkerPool:
            return WorkerPool(self._layout, environment, errand, folder, log)

        return Slot(make_pool, place, self._stopped, self.begun, reuse=reuse, lease=lease)

    def _run(self, overrides: Sequence[str], number: int) -> JobReturn:
        vacancies = self._vacancies
        slot = vacancies.take()
        try:
            return self._run_in(slot, overrides, number)
        finally:
            vacancies.give_back(slot)

    def _run_in(self, slot: Slot, overrides: Sequence[str], number: int) -> SlotReturn:
        if slot.lease is not None:
            # A process that is on its way out still has memory, which nobody else will find taken.
            slot.await_leaving()
            self._neighbours.look(slot.lease)
        return slot.run(overrides, number, lambda: self.kill_after)

    def _run_in_whole(self, lease: Lease, overrides: Sequence[str], number: int) -> SlotReturn:
        """Runs a job in a slot that is made for it, and has a whole GPU."""
        folder = self._folder
        assert folder is not None
        # As many threads as any other: on another number a training differs.
        environment = self._layout.environments[0] | lease.to_environment()
        place = Path(tempfile.mkdtemp(prefix="alone-", dir=folder))
        # That it may be reused keeps it from having a second process ready, for which there is no job.
        slot = self._make_slot(environment, pack_errand(*self._parts), folder, place, reuse=True, lease=lease)
        with self._guard:
            self._opened.append(slot)
        try:
            return self._run_in(slot, overrides, number)
        finally:
            with self._guard:
                if slot in self._opened:
                    self._opened.remove(slot)
            slot.close()
