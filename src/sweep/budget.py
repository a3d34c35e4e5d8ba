"""The budget of a search besides its number of trials: time in total, a time of the day, patience."""

from __future__ import annotations

import time

from src.clock import has_come, local_now, seconds_between
from src.config.sweeper import SweeperConfig
from src.sweep.clock import format_seconds, parse_until


class Budget:
    """Says when no further trial shall be started, and why.

    Attributes:
        used_before: Seconds that the search has run in earlier processes.
        deadline: Moment after which no trial is started; None is no limit.
    """

    def __init__(self, settings: SweeperConfig, used_before: float) -> None:
        """Starts to count."""
        self.timeout = settings.timeout
        self.used_before = used_before
        self.deadline = None if settings.until is None else parse_until(settings.until)
        self._started = time.monotonic()

    @property
    def used(self) -> float:
        """Seconds that the search has run, in this process and before."""
        return self.used_before + time.monotonic() - self._started

    @property
    def left(self) -> float | None:
        """Seconds in which trials may still be started; None where nothing limits them."""
        limits = []
        if self.timeout is not None:
            limits.append(self.timeout - self.used)
        if self.deadline is not None:
            limits.append(seconds_between(local_now(), self.deadline))
        return min(limits, default=None)

    def find_end(self) -> str | None:
        """Returns why no further trial shall be started; None as long as time is left."""
        if self.timeout is not None and self.used >= self.timeout:
            return f"hydra.sweeper.timeout of {format_seconds(self.timeout)} is used up"
        if self.deadline is not None and has_come(self.deadline, local_now()):
            return f"it is past {self.deadline:%Y-%m-%d %H:%M} (hydra.sweeper.until)"
        return None
