"""How many training steps are taken in one call: many small ones, as each call has a cost of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from src.training.pipeline import StepBatches

#: How long a call shall take at most. Within one, nobody can be told anything, and nothing can be interrupted.
SECONDS_PER_CALL = 0.1

#: Memory that the batches of a call may take, unless it is a single batch.
BYTES_PER_CALL = 16 * 2**20


class Stride:
    """Chooses the number of steps by how long the last ones took; what they come to does not depend on it."""

    def __init__(self) -> None:
        """Begins with single steps."""
        self._steps = 1
        self._calls = 0
        self._batch_size = 0

    def choose_steps(self) -> int:
        """Returns how many steps the next call shall take."""
        return self._steps

    @contextmanager
    def measure(self, batches: StepBatches) -> Iterator[None]:
        """Measures a call, which takes a step with each of these batches."""
        started = time.perf_counter()
        yield
        seconds = max(time.perf_counter() - started, 1e-6)
        self._calls += 1
        self._batch_size = max(self._batch_size, batches.inputs.shape[1])
        if self._calls == 1 or batches.inputs.shape[1] < self._batch_size:
            # It may have traced the steps as well; or it was the last batch of an epoch, which says little of others.
            return
        in_time = int(SECONDS_PER_CALL * len(batches) / seconds)
        in_memory = BYTES_PER_CALL * len(batches) // batches.inputs.nbytes
        self._steps = max(1, min(in_time, in_memory))
