"""Which slots have no job: one goes to each job, and all of a GPU to a job that must be alone there."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from src.workers.slot import Slot

#: How often a job that waits for a GPU asks whether it is wanted still.
_POLL_SECONDS = 0.2


class Vacancies:
    """The slots that have no job, given out to threads that wait for them."""

    def __init__(self, slots: Sequence[Slot] = ()) -> None:
        """Takes the slots, none of which has a job."""
        self._slots = tuple(slots)
        self._vacant = list(slots)
        # By GPU, the jobs that wait to be alone there or are; and the GPUs where one is.
        self._wanted: Counter[str] = Counter()
        self._granted: set[str] = set()
        self._changed = threading.Condition()

    @property
    def held_back(self) -> int:
        """Slots without a job that get none for the sake of a job that is to be alone, besides one for that job."""
        with self._changed:
            return sum(max(0, self._count_idle(gpu) - number) for gpu, number in self._wanted.items() if number)

    def take(self) -> Slot:
        """Returns a slot for a job, the one that was last in use, as soon as there is one."""
        with self._changed:
            self._changed.wait_for(self._list_open)
            slot = self._list_open()[-1]
            self._vacant.remove(slot)
            return slot

    def take_gpu(self, gpu: str, wanted: Callable[[], bool]) -> list[Slot] | None:
        """Returns all slots of a GPU, as soon as the jobs there have ended; none begins there meanwhile.

        Args:
            gpu: The GPU.
            wanted: Whether it is wanted still; None is returned soon after it is not.
        """
        with self._changed:
            self._wanted[gpu] += 1
            slots = self._list_slots(gpu)
            while wanted() and not all(slot in self._vacant for slot in slots):
                self._changed.wait(_POLL_SECONDS)
            if not wanted():
                self._wanted[gpu] -= 1
                self._changed.notify_all()
                return None
            self._granted.add(gpu)
            for slot in slots:
                self._vacant.remove(slot)
            return slots

    def give_back(self, slot: Slot) -> None:
        """Takes back a slot whose job has ended."""
        with self._changed:
            self._vacant.append(slot)
            self._changed.notify_all()

    def give_back_gpu(self, gpu: str, slots: Iterable[Slot]) -> None:
        """Takes back what `take_gpu` has given out."""
        with self._changed:
            self._wanted[gpu] -= 1
            self._granted.discard(gpu)
            self._vacant += slots
            self._changed.notify_all()

    def _list_open(self) -> list[Slot]:
        return [slot for slot in self._vacant if slot.lease is None or not self._wanted[slot.lease.device]]

    def _list_slots(self, gpu: str) -> list[Slot]:
        return [slot for slot in self._slots if slot.lease is not None and slot.lease.device == gpu]

    def _count_idle(self, gpu: str) -> int:
        slots = self._list_slots(gpu)
        return len(slots) if gpu in self._granted else sum(slot in self._vacant for slot in slots)
