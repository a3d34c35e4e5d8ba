"""The end of a trial: what is kept of it, and its repetition, such that a process may be killed at any moment."""

from __future__ import annotations

import dataclasses

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from src.ending import INTERRUPTED
from src.study import attributes
from src.study.verdict import Verdict
from src.study.view import view_trial

#: Characters of a traceback that are kept, from its end.
_TRACEBACK_LENGTH = 8000


def enqueue_again(study: optuna.Study, trial: FrozenTrial, state: str) -> None:
    """Enqueues a trial's parameters to be run again, unless that was done; the caller holds the study's lock.

    Before the trial's end is told: where a process is killed in between, the next one tells it lost once more.

    Args:
        study: The study.
        trial: The trial, which has not been told yet.
        state: How it ended.
    """
    for other in study.get_trials(deepcopy=False):
        if other.user_attrs.get(attributes.RETRY_OF) == trial.number:
            return
        if other.number == trial.number and other.state.is_finished():
            return
    view = view_trial(trial)
    # What was enqueued but not yet taken up counts too: a process may be killed before it has all parameters.
    study.enqueue_trial(
        {**trial.system_attrs.get(attributes.FIXED_PARAMS, {}), **trial.params},
        user_attrs={
            attributes.RETRY_OF: trial.number,
            attributes.ATTEMPT: view.attempt + 1,
            attributes.FAILURES: view.failures + (state != INTERRUPTED),
            attributes.CHECKPOINTS: view.checkpoints,
        },
    )


def end_trial(study: optuna.Study, trial: FrozenTrial, verdict: Verdict) -> None:
    """Keeps what a running trial came to, then ends it.

    Raises:
        UpdateFinishedTrialError: Another process has ended it.
    """
    storage, outcome = study._storage, verdict.outcome
    if outcome.traceback is not None:
        outcome = dataclasses.replace(outcome, traceback=outcome.traceback[-_TRACEBACK_LENGTH:])
    # In one piece: a slot waits, and each write of a database waits for the disk.
    storage.set_trial_user_attr(trial._trial_id, attributes.OUTCOME, outcome.to_dict())
    # Optuna has no other way to constrain a trial that was asked for in another process.
    constrained = create_trial(state=TrialState.FAIL, constraints=verdict.violations)
    for key, value in constrained.system_attrs.items():
        storage.set_trial_system_attr(trial._trial_id, key, value)
    study.tell(trial.number, verdict.values, state=verdict.state, skip_if_finished=True)
