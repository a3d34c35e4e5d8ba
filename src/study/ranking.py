"""Which trials of a study are best: with one objective, with several, and since when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from src.ending import COMPLETE
from src.study.counts import find_last_attempts
from src.study.objective import Objectives
from src.study.view import RUNNING, WAITING, TrialView


def rank_trials(views: Iterable[TrialView], objectives: Objectives) -> list[TrialView]:
    """Returns the complete, feasible trials, best first by the first objective; of equals the earlier one first."""
    eligible = [view for view in views if _is_eligible(view)]
    return sorted(eligible, key=lambda view: (_losses(view, objectives), view.number))


def find_best(views: Iterable[TrialView], objectives: Objectives) -> TrialView | None:
    """Returns the best trial; None where there is none, or several objectives, of which no trial is best."""
    if len(objectives.objectives) > 1:
        return None
    return next(iter(rank_trials(views, objectives)), None)


def find_front(views: Iterable[TrialView], objectives: Objectives) -> list[TrialView]:
    """Returns the trials than which none is better in one objective without being worse in another."""
    front: list[TrialView] = []
    for view in rank_trials(views, objectives):
        losses = _losses(view, objectives)
        if not any(_is_dominated(losses, _losses(other, objectives)) for other in front):
            front.append(view)
    return front


def count_since_best(views: Iterable[TrialView], objectives: Objectives) -> int:
    """Returns how many trials have ended, in the order in which they did, after the last one that improved anything.

    All of them, where none has come to a feasible value.
    """
    done = [view for view in find_last_attempts(views) if view.state not in (RUNNING, WAITING)]
    front: list[tuple[float, ...]] = []
    since = 0
    for view in sorted(done, key=lambda view: (view.ended or 0.0, view.number)):
        since += 1
        if not _is_eligible(view):
            continue
        losses = _losses(view, objectives)
        if not any(_is_matched(losses, other) for other in front):
            front = [other for other in front if not _is_matched(other, losses)] + [losses]
            since = 0
    return since


def _is_eligible(view: TrialView) -> bool:
    return view.state == COMPLETE and view.feasible


def _losses(view: TrialView, objectives: Objectives) -> tuple[float, ...]:
    return tuple(
        -value if objective.direction == "maximize" else value
        for objective, value in zip(objectives.objectives, view.objectives, strict=True)
    )


def _is_matched(losses: Sequence[float], others: Sequence[float]) -> bool:
    """Returns whether the others are nowhere worse."""
    return all(other <= loss for loss, other in zip(losses, others, strict=True))


def _is_dominated(losses: Sequence[float], others: Sequence[float]) -> bool:
    """Returns whether the others are nowhere worse, and somewhere better."""
    return tuple(losses) != tuple(others) and _is_matched(losses, others)
