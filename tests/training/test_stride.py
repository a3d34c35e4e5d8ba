from __future__ import annotations

import numpy as np
import pytest

from src.training import stride as stride_module
from src.training.pipeline import StepBatches
from src.training.stride import BYTES_PER_CALL, Stride


class Clock:
    """Stands in for the clock: a call takes as long as a test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stride_module, "time", clock)
    return clock


def batches(steps: int, *, num_bytes: int = 100) -> StepBatches:
    return StepBatches(0, np.zeros((steps, 1, num_bytes), np.uint8), np.zeros((steps, 1), np.int32))


def call(stride: Stride, clock: Clock, some: StepBatches, seconds: float) -> int:
    with stride.measure(some):
        clock.now += seconds
    return stride.choose_steps()


def test_the_first_call_says_nothing_since_it_traces(clock: Clock) -> None:
    assert call(Stride(), clock, batches(1), 1e-4) == 1


def test_small_steps_are_taken_as_many_at_a_time_as_a_tenth_of_a_second_allows(clock: Clock) -> None:
    stride = Stride()
    call(stride, clock, batches(1), 2.0)
    assert call(stride, clock, batches(1), 2**-8) == 25
    assert call(stride, clock, batches(25), 0.2) == 12


def test_large_steps_are_taken_one_by_one(clock: Clock) -> None:
    stride = Stride()
    call(stride, clock, batches(1), 2.0)
    assert call(stride, clock, batches(1), 0.7) == 1


def test_no_more_batches_are_loaded_than_memory_is_meant_for_them(clock: Clock) -> None:
    stride = Stride()
    call(stride, clock, batches(1), 2.0)
    assert call(stride, clock, batches(1, num_bytes=BYTES_PER_CALL // 3), 1e-6) == 3
    assert call(stride, clock, batches(1, num_bytes=BYTES_PER_CALL + 1), 1e-6) == 1


def test_the_smaller_last_batch_of_an_epoch_says_nothing_of_the_others(clock: Clock) -> None:
    stride = Stride()
    whole = StepBatches(0, np.zeros((1, 32, 100), np.uint8), np.zeros((1, 32), np.int32))
    last = StepBatches(3, np.zeros((1, 1, 100), np.uint8), np.zeros((1, 1), np.int32))
    call(stride, clock, whole, 2.0)
    assert call(stride, clock, whole, 2**-5) == 3
    assert call(stride, clock, last, 1e-6) == 3
