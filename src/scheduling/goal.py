"""What a scheduled sweep has to come to this time: which study, and how many trials in total."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from src.config.schedule import ScheduleConfig


@dataclass(frozen=True)
class Goal:
    """What is to be done.

    Attributes:
        study: Name of the study, or of several arms' studies the beginning.
        begun_with: Trials that each arm had before.
        n_trials: Trials that each arm gets.
        resumed: Whether it was begun another time.
    """

    study: str
    begun_with: int
    n_trials: int
    resumed: bool = False

    @property
    def total(self) -> int:
        """What `hydra.sweeper.n_trials` has to be, which counts all trials that a study has."""
        return self.begun_with + self.n_trials


def set_goal(
    schedule: ScheduleConfig, study: str, n_trials: int, unfinished: Goal | None, counted: int, now: datetime
) -> Goal:
    """Returns what is to be done now.

    Args:
        schedule: The block.
        study: Name of the sweep's study, as it is by hand.
        n_trials: Trials of each arm.
        unfinished: What was to be done last time, if it was not done.
        counted: Trials that the study of this name has, of the arm that has the fewest.
        now: The moment at which it begins, in local time.
    """
    if unfinished is not None and schedule.unfinished == "continue":
        return Goal(unfinished.study, unfinished.begun_with, n_trials, resumed=True)
    if schedule.study == "grow":
        return Goal(study, counted, n_trials)
    # With its distance from UTC: an hour that comes twice must not name two studies alike.
    return Goal(f"{study} {now.isoformat(sep=' ', timespec='seconds')}", 0, n_trials)
