"""Slots: no barrier, and no trial lost."""

from __future__ import annotations

import threading

import pytest

from src.sweep.slots import Slots


def test_a_slot_is_free_again_while_the_slower_task_beside_it_goes_on() -> None:
    gate = threading.Event()

    def run(task: str) -> str:
        if task == "slow":
            gate.wait(30)
        return task.upper()

    slots: Slots[str, str] = Slots(2, run)
    slots.submit("slow")
    slots.submit("fast")
    assert slots.free == 0
    assert slots.wait(30) == [("fast", "FAST")]
    assert slots.free == 1
    assert slots.running == ["slow"]
    slots.submit("next")
    assert slots.wait(30) == [("next", "NEXT")]
    gate.set()
    assert slots.wait(30) == [("slow", "SLOW")]


def test_waiting_ends_when_the_time_is_over() -> None:
    assert Slots(1, str).wait(0.01) == []


def test_a_task_that_finds_no_free_slot_is_refused() -> None:
    gate = threading.Event()
    slots: Slots[int, bool] = Slots(1, lambda task: gate.wait(30))
    slots.submit(1)
    with pytest.raises(RuntimeError, match="All 1 slots are taken"):
        slots.submit(2)
    gate.set()


def test_inline_slots_run_in_the_thread_of_the_caller_one_at_a_time() -> None:
    slots: Slots[int, str] = Slots(4, lambda task: threading.current_thread().name, inline=True)
    assert slots.count == 1
    slots.submit(1)
    assert slots.wait(1) == [(1, threading.current_thread().name)]


def test_what_a_task_raises_reaches_the_caller() -> None:
    def fail(task: int) -> None:
        raise ValueError(f"task {task}")

    slots: Slots[int, None] = Slots(1, fail)
    slots.submit(7)
    with pytest.raises(ValueError, match="task 7"):
        slots.wait(30)
    assert slots.free == 1
