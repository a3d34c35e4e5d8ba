"""The winner once more with other seeds."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any, cast

with warnings.catch_warnings():
    # MLflow's own models use what SQLAlchemy is about to drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    from src.study.outcome import Outcome
    from src.sweep.budget import Budget
    from src.sweep.job import JobRunner, Trial
    from src.sweep.repetition import repeat_winner
    from src.sweep.signals import Interruption
    from tests.sweep.searches import Opener, Stage, make_history, make_launching


class _Runner:
    """Comes to a value at once; the user interrupts the search during the second repetition."""

    def __init__(self, interruption: Interruption, *, requests: int) -> None:
        self.interruption = interruption
        self.requests = requests
        self.stopped = False
        self.seeds: list[int] = []

    def repeat(self, trial: Trial, seed: int, parent_run_id: str) -> Outcome:
        self.seeds.append(seed)
        if len(self.seeds) == 2:
            self.interruption.requests = self.requests
        return Outcome("complete", {"best_val_accuracy": 0.5})


def run(stage: Stage, *, requests: int = 0) -> _Runner:
    """Repeats the winner of a search, one at a time."""
    search = dataclasses.replace(stage.search, launching=make_launching(slots=1))
    interruption = Interruption()
    runner = _Runner(interruption, requests=requests)
    budget = Budget(search.settings, 0.0)
    repeat_winner(search, stage.studies, [[]], cast("JobRunner", cast(Any, runner)), stage.parent, interruption, budget)
    return runner


def test_the_winner_is_repeated_until_all_seeds_have_had_their_turn(stage: Opener) -> None:
    search = stage(repeat_winner=4)
    search.run_trial(make_history(0.75))
    assert len(set(run(search).seeds)) == 4
    assert run(search).seeds == []


def test_whoever_interrupts_a_search_ends_its_repetitions_too(stage: Opener) -> None:
    search = stage(repeat_winner=4)
    search.run_trial(make_history(0.75))
    first = run(search, requests=2)
    assert len(first.seeds) == 2
    # The next time it goes on with those that are missing.
    assert len({*first.seeds, *run(search).seeds}) == 4


def test_the_winner_is_not_repeated_after_the_hour(stage: Opener) -> None:
    search = stage(repeat_winner=4, until="2026-01-01 06:30")
    search.run_trial(make_history(0.75))
    assert run(search).seeds == []
