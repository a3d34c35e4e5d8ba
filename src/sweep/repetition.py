"""The winner once more, with other seeds: what it comes to without the luck that made it the best."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

from src.ending import COMPLETE
from src.study.outcome import Outcome
from src.study.spec import Ask
from src.study.study import ArmStudy
from src.study.view import TrialView
from src.sweep.budget import Budget
from src.sweep.job import JobRunner, Trial
from src.sweep.plan import Search
from src.sweep.signals import Interruption
from src.sweep.slots import Slots
from src.tracking.run import TrackedRun

#: The study's attribute that holds what the repetitions of a trial came to, by seed.
_ATTRIBUTE = "fitgap.repetitions"

#: First seed of a repetition; far from those that people choose.
_FIRST_SEED = 1000


def repeat_winner(
    search: Search,
    studies: Sequence[ArmStudy],
    found: Sequence[Sequence[str]],
    runner: JobRunner,
    parent: TrackedRun,
    interruption: Interruption,
    budget: Budget,
) -> None:
    """Trains the best configuration of a finished search again, as often as asked, and records mean and spread.

    Repetitions that an earlier process has finished are not run again. They appear below the winner's own run. Whoever
    interrupts the search ends them as well: once after those that run, twice at once. They keep to its budget of time.
    """
    number = search.settings.repeat_winner
    if not number or len(search.objectives.names) > 1:
        return
    best = _find_best(search, studies)
    if best is None:
        return
    index, view = best
    study, objective = studies[index], search.objectives.names[0]
    done: dict[str, dict[str, float]] = study.get_attr(f"{_ATTRIBUTE}.{view.number}") or {}
    seeds = _choose_seeds(search, number)
    search.console.print(f"\nOnce more with {number} other seeds: {search.arms[index].name} #{view.number}")
    slots: Slots[tuple[int, Trial], Outcome] = Slots(
        search.launching.slots,
        lambda task: runner.repeat(task[1], task[0], view.run_id or parent.run_id),
        inline=search.launching.inline,
    )
    waiting = [seed for seed in seeds if str(seed) not in done]
    while True:
        runner.ending = over = bool(interruption.requests) or budget.find_end() is not None
        if not slots.running and (over or not waiting):
            break
        while waiting and slots.free and not over:
            seed = waiting.pop(0)
            slots.submit((seed, _describe_trial(search, index, study, view, found[index], seed)))
        if interruption.at_once and not runner.stopped:
            runner.stopped = True
            search.launching.stop()
        for (seed, _), outcome in slots.wait(0.2):
            if outcome.state != COMPLETE:
                search.console.print(f"seed {seed}: {outcome.state}: {outcome.error}", style="red")
                continue
            done[str(seed)] = dict(outcome.metrics)
            study.set_attr(f"{_ATTRIBUTE}.{view.number}", done)
            search.console.print(f"seed {seed}: {objective} {outcome.metrics[objective]:.4g}")
    values = [metrics[objective] for seed, metrics in done.items() if int(seed) in seeds]
    if not values:
        return
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    parent.log_metrics(
        {
            f"winner_{objective}_mean": statistics.fmean(values),
            f"winner_{objective}_std": spread,
            "winner_repetitions": float(len(values)),
        }
    )
    was = f"{view.objectives[0]:.4g} when it won"
    search.console.print(f"{objective} {statistics.fmean(values):.4g} ±{spread:.2g} over {len(values)} seeds; {was}")


def _find_best(search: Search, studies: Sequence[ArmStudy]) -> tuple[int, TrialView] | None:
    objective = search.objectives.objectives[0]
    best: tuple[int, TrialView] | None = None
    for index, study in enumerate(studies):
        view = study.best()
        if view is not None and (best is None or objective.better(view.objectives[0], best[1].objectives[0])):
            best = (index, view)
    return best


def _choose_seeds(search: Search, number: int) -> list[int]:
    used = {*search.settings.seeds, *(int(text) for arm in search.arms if (text := _read_seed(search, arm.fixed)))}
    return list(itertools.islice((seed for seed in itertools.count(_FIRST_SEED) if seed not in used), number))


def _read_seed(search: Search, fixed: dict[str, str]) -> str | None:
    text = fixed.get(search.settings.seed_key, "")
    return text if text.isdigit() else None


def _describe_trial(
    search: Search, index: int, study: ArmStudy, view: TrialView, found: Sequence[str], seed: int
) -> Trial:
    arm = search.arms[index]
    overrides = tuple(arm.space.to_overrides(view.values))
    ask = Ask(view.number, view.trial_id, dict(view.values), overrides, view.attempt)
    subdir = f"winner-{arm.cell.number}-{view.number}-seed-{seed}"
    return Trial(arm, study, ask, found, search.folder / subdir, subdir)
