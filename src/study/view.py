"""A trial as the rest of the program sees it, read from what Optuna and fitgap have stored of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna import Study
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from src.ending import COMPLETE, FAILED, PRUNED
from src.study import attributes

#: States of trials that have not ended, beside those of `src.ending`.
RUNNING, WAITING = "running", "waiting"

_STATES = {
    TrialState.COMPLETE: COMPLETE,
    TrialState.PRUNED: PRUNED,
    TrialState.RUNNING: RUNNING,
    TrialState.WAITING: WAITING,
}


@dataclass(frozen=True)
class TrialView:
    """A trial.

    Attributes:
        number: Its number within the study.
        trial_id: Its number within the storage.
        state: A state of `src.ending`, `running` or `waiting`.
        values: Its parameters by key; those of a trial whose process was killed may be incomplete.
        objectives: What it came to, one for each objective; empty where it did not.
        metrics: Its final metrics.
        run_id: Its run in the tracking store.
        error: What ended it, in one line.
        traceback: The same with its traceback.
        attempt: 1, or more for a trial that is run again.
        retry_of: Number of the trial which it repeats.
        feasible: Whether it keeps all constraints; true of a trial that was not measured.
        seconds: How long it took; None where it has not ended.
        ended: When it ended, in seconds since 1970; None where it has not.
        intermediate: What it has reported, by step.
        folder: Where its files lie.
        failures: How many of its earlier attempts failed, or died.
        checkpoints: Where its checkpoints lie: in the folder of its first attempt.
        out_of_memory: The error with which it ran out of memory beside others on its GPU, before it was run alone.
    """

    number: int
    trial_id: int
    state: str
    values: Mapping[str, Any]
    objectives: tuple[float, ...]
    metrics: Mapping[str, float]
    run_id: str | None
    error: str | None
    traceback: str | None
    attempt: int
    retry_of: int | None
    feasible: bool
    seconds: float | None
    ended: float | None
    intermediate: Mapping[int, float]
    folder: str | None
    failures: int = 0
    checkpoints: str | None = None
    out_of_memory: str | None = None


def view_trial(trial: FrozenTrial, late_run_id: str | None = None) -> TrialView:
    """Returns Optuna's trial as the rest of the program sees it.

    Args:
        trial: Optuna's trial, which is not changed.
        late_run_id: Its run, where that became known after the trial's end.
    """
    kept = trial.user_attrs
    outcome: Mapping[str, Any] = kept.get(attributes.OUTCOME, {})
    start, end = trial.datetime_start, trial.datetime_complete
    seconds = outcome.get("seconds") or None
    if seconds is None and start is not None and end is not None:
        seconds = (end - start).total_seconds()
    return TrialView(
        number=trial.number,
        trial_id=trial._trial_id,
        state=_STATES.get(trial.state) or outcome.get("state", FAILED),
        values={**trial.system_attrs.get(attributes.FIXED_PARAMS, {}), **trial.params},
        objectives=tuple(trial.values or ()) if trial.state == TrialState.COMPLETE else (),
        metrics=outcome.get("metrics", {}),
        run_id=late_run_id or outcome.get("run_id") or kept.get(attributes.RUN_ID),
        error=outcome.get("error"),
        traceback=outcome.get("traceback"),
        attempt=kept.get(attributes.ATTEMPT, 1),
        retry_of=kept.get(attributes.RETRY_OF),
        feasible=_is_feasible(trial),
        seconds=seconds,
        ended=None if end is None else end.timestamp(),
        intermediate=trial.intermediate_values,
        folder=kept.get(attributes.FOLDER),
        # Of an earlier version, which did not tell one attempt from the other.
        failures=kept.get(attributes.FAILURES, kept.get(attributes.ATTEMPT, 1) - 1),
        checkpoints=kept.get(attributes.CHECKPOINTS) or kept.get(attributes.FOLDER),
        out_of_memory=kept.get(attributes.OUT_OF_MEMORY),
    )


def count_as_good(study: Study, value: float) -> int:
    """Returns how many complete, feasible trials of a study with one objective are at least as good as a value."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    values = [trial.value for trial in trials if _is_feasible(trial)]
    better = study.direction == StudyDirection.MAXIMIZE
    return sum(other is not None and (other >= value if better else other <= value) for other in values)


def _is_feasible(trial: FrozenTrial) -> bool:
    return all(value <= 0 for value in trial.constraints.values())
