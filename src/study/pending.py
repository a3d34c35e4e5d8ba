"""The trials of all studies of a storage that have not ended, seen from outside of the processes that run them."""

from __future__ import annotations

import optuna
from optuna.trial import TrialState

from src.study.address import sqlite_path
from src.study.storage import close_storage, explained, open_storage
from src.study.view import TrialView, view_trial


def list_pending(url: str) -> list[TrialView]:
    """Returns the trials that run or wait, of all studies; none where there is no storage yet.

    Args:
        url: The resolved URL of the storage.

    Raises:
        StudyError: The storage cannot be used.
    """
    path = sqlite_path(url)
    if path is not None and not path.exists():
        return []
    storage = open_storage(url)
    try:
        with explained(url):
            return [
                view_trial(trial)
                for summary in optuna.get_all_study_summaries(storage, include_best_trial=False)
                for trial in storage.get_all_trials(
                    summary._study_id, deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING)
                )
            ]
    finally:
        close_storage(storage)
