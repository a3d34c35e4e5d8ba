"""How many trials a study has, where a trial that is run again counts once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from src.ending import COMPLETE, PRUNED
from src.study.view import RUNNING, WAITING, TrialView


@dataclass(frozen=True)
class Counts:
    """How many trials a study has, by what became of their last attempt.

    Attributes:
        complete: Those that came to a value.
        pruned: Those that the pruner has stopped.
        failed: Those that failed and are not run again.
        running: Those that run, here or elsewhere.
        waiting: Those that wait to be run, or to be run again.
    """

    complete: int
    pruned: int
    failed: int
    running: int
    waiting: int

    @property
    def counted(self) -> int:
        """Those that are done."""
        return self.complete + self.pruned + self.failed

    @property
    def started(self) -> int:
        """Those that are done or run."""
        return self.counted + self.running


def find_last_attempts(views: Iterable[TrialView]) -> list[TrialView]:
    """Returns the trials that no other one repeats."""
    views = list(views)
    repeated = {view.retry_of for view in views}
    return [view for view in views if view.number not in repeated]


def count_trials(views: Iterable[TrialView]) -> Counts:
    """Counts trials by what became of their last attempt."""
    states = [view.state for view in find_last_attempts(views)]
    complete, pruned, running, waiting = (states.count(state) for state in (COMPLETE, PRUNED, RUNNING, WAITING))
    return Counts(complete, pruned, len(states) - complete - pruned - running - waiting, running, waiting)
