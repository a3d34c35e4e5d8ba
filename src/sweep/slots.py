"""Slots: places where trials run side by side, each taking the next one the moment it is free."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class Slots(Generic[Task, Result]):
    """Runs tasks in a thread per slot; or in the caller's thread, for work that cannot leave it.

    There is no barrier: `wait` returns as soon as any task has ended.
    """

    def __init__(self, count: int, run: Callable[[Task], Result], *, inline: bool = False) -> None:
        """Takes the number of slots and what is done with a task, which must not raise."""
        self.count = 1 if inline else count
        self._run = run
        self.inline = inline
        self._done: queue.Queue[tuple[Task, Result | BaseException]] = queue.Queue()
        self.running: list[Task] = []

    @property
    def free(self) -> int:
        """Slots that wait for a task."""
        return self.count - len(self.running)

    def submit(self, task: Task) -> None:
        """Starts a task in a free slot.

        Raises:
            RuntimeError: No slot is free.
        """
        if not self.free:
            raise RuntimeError(f"All {self.count} slots are taken.")
        self.running.append(task)
        if self.inline:
            self._work(task)
        else:
            threading.Thread(target=self._work, args=(task,), name="fitgap-slot", daemon=True).start()

    def wait(self, seconds: float) -> list[tuple[Task, Result]]:
        """Returns the tasks that have ended, with their results; waits for the first one, but no longer than this.

        Raises:
            BaseException: What a task raised all the same.
        """
        ended: list[tuple[Task, Result]] = []
        try:
            ended.append(self._take(self._done.get(timeout=seconds)))
            while True:
                ended.append(self._take(self._done.get_nowait()))
        except queue.Empty:
            return ended

    def _take(self, item: tuple[Task, Result | BaseException]) -> tuple[Task, Result]:
        task, result = item
        self.running.remove(task)
        if isinstance(result, BaseException):
            raise result
        return task, result

    def _work(self, task: Task) -> None:
        try:
            self._done.put((task, self._run(task)))
        except BaseException as error:
            self._done.put((task, error))
