"""A study's trials, read from the storage no more often than anybody can look."""

from __future__ import annotations

import threading
import time

from optuna.storages import BaseStorage

from src.study import attributes
from src.study.view import TrialView, view_trial

#: Seconds for which what other processes have done may be unseen.
_FRESH_SECONDS = 1.0
#: The same for the runs that they have named after their trials had ended: a thousand trials have a thousand to read.
_RUNS_FRESH_SECONDS = 10.0


class TrialReader:
    """Reads a study's trials; those that have ended are looked at once."""

    def __init__(self, storage: BaseStorage, study_id: int) -> None:
        """Takes a study in an open storage."""
        self._storage = storage
        self._study_id = study_id
        self._ended: dict[int, TrialView] = {}
        self._views: list[TrialView] = []
        self._read_at: float | None = None
        self._late_run_ids: dict[int, str] = {}
        self._runs_read_at: float | None = None
        self._guard = threading.Lock()

    def read(self) -> list[TrialView]:
        """Returns all trials in the order of their numbers; the list is not to be changed."""
        with self._guard:
            now = time.monotonic()
            if self._read_at is None or now - self._read_at > _FRESH_SECONDS:
                # Before reading: what changes meanwhile is seen by the next who asks.
                self._read_at = now
                self._views = self._read()
            return self._views

    def refresh(self, *, runs: bool = False) -> None:
        """Has the next `read` look at the storage, on request also for the runs that others have named late."""
        with self._guard:
            self._read_at = None
            if runs:
                self._runs_read_at = None

    def name_run(self, number: int, run_id: str) -> None:
        """Takes the run of a trial that had ended before it was known; it is in the storage already."""
        with self._guard:
            self._late_run_ids[number] = run_id
            self._read_at = None

    def _read(self) -> list[TrialView]:
        trials = self._storage.get_all_trials(self._study_id, deepcopy=False)
        if self._runs_read_at is None or time.monotonic() - self._runs_read_at > _RUNS_FRESH_SECONDS:
            self._read_runs()
        views = []
        for trial in trials:
            late_run_id = self._late_run_ids.get(trial.number)
            view = self._ended.get(trial.number)
            if view is None or (late_run_id is not None and view.run_id != late_run_id):
                view = view_trial(trial, late_run_id)
            if trial.state.is_finished():
                self._ended[trial.number] = view
            views.append(view)
        return views

    def _read_runs(self) -> None:
        self._runs_read_at = time.monotonic()
        for key, value in self._storage.get_study_user_attrs(self._study_id).items():
            if key.startswith(attributes.LATE_RUN_ID):
                self._late_run_ids[int(key.removeprefix(attributes.LATE_RUN_ID))] = value
