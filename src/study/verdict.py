"""What an outcome means to Optuna: a state, values and constraints."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from optuna.trial import TrialState

from src.ending import COMPLETE, DIVERGED, FAILED, PRUNED
from src.study.objective import MissingMetricError, Objectives
from src.study.outcome import Outcome

#: Largest violation that Optuna is told: its samplers calculate with them, which infinity would spoil.
_MOST = 1e9


@dataclass(frozen=True)
class Verdict:
    """What Optuna is told of a trial.

    Attributes:
        state: Its state in Optuna.
        outcome: How it ended, by what it came to: without its objective it has failed.
        values: One for each objective, of a trial that is complete.
        violations: One for each constraint, of a trial that is complete.
        problem: Why the search cannot go on: its objective is none of the metrics that were logged.
    """

    state: TrialState
    outcome: Outcome
    values: list[float] | None = None
    violations: dict[str, float] = field(default_factory=dict)
    problem: MissingMetricError | None = None


def judge(outcome: Outcome, objectives: Objectives) -> Verdict:
    """Returns what Optuna is told of an outcome."""
    if outcome.state == PRUNED:
        return Verdict(TrialState.PRUNED, outcome)
    if outcome.state != COMPLETE:
        return Verdict(TrialState.FAIL, outcome)
    try:
        values = objectives.values(outcome.metrics)
        violations = objectives.violations(outcome.metrics)
    except MissingMetricError as problem:
        failed = replace(outcome, state=FAILED, error=str(problem))
        return Verdict(TrialState.FAIL, failed, problem=problem)
    if not all(map(math.isfinite, values)):
        told = ", ".join(f"{name} is {value}" for name, value in zip(objectives.names, values, strict=True))
        return Verdict(TrialState.FAIL, replace(outcome, state=DIVERGED, error=outcome.error or told))
    bounded = {key: min(max(value, -_MOST), _MOST) for key, value in violations.items()}
    return Verdict(TrialState.COMPLETE, outcome, values, bounded)
