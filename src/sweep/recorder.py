"""The tracking store's side of a running search: brought up to date in the background, while slots take trials."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from src.ending import COMPLETE, FAILED, INTERRUPTED, LOST, STATUSES
from src.errors import TrackingError
from src.study.outcome import Outcome
from src.study.study import ArmStudy
from src.study.view import TrialView
from src.sweep.models import ModelKeeper
from src.sweep.parent import Parent
from src.sweep.plan import Search
from src.sweep.recording import close_dead_run, record_trial
from src.tracking.records import load_children
from src.tracking.store import Store

#: Trials that may wait to be recorded; where more do, since the store is slow or away, the search waits for it.
_BACKLOG = 8


class Recorder:
    """Records what became of trials, one after the other in a thread of its own; a context manager.

    A slot need not be empty meanwhile. Leaving the block waits until all is recorded.
    """

    def __init__(
        self,
        search: Search,
        studies: Sequence[ArmStudy],
        store: Store,
        parent: Parent,
        warn: Callable[[str], None],
    ) -> None:
        """Takes the search, and who is told of what the store does not take."""
        self.search = search
        self.studies = studies
        self.store = store
        self.parent = parent
        self._warn = warn
        nested = bool(search.settings.seeds)
        self._keeper = ModelKeeper(store, search.objectives, search.arms[0].checked.tracking, nested=nested)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fitgap-recorder")
        self._waiting: deque[Future[None]] = deque()
        self._missing: list[tuple[str, int]] = []

    def __enter__(self) -> Recorder:
        """Begins with what an earlier process was killed over."""
        if self.parent.run is not None:
            # Now: what ends from here on is recorded anyway.
            for arm, study in zip(self.search.arms, self.studies, strict=True):
                self._missing += [(arm.name, view.number) for view in study.trials() if self._is_unrecorded(view)]
        self._record_missing()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.catch_up()
                # Where the store was away when the search began, it may be back by now.
                self._record_missing()
                self.catch_up()
        finally:
            self._thread.shutdown()

    @property
    def _records_trials(self) -> bool:
        """Whether the application's trials have no runs but those that are made here."""
        return not (self.search.application.records_runs or self.search.settings.seeds)

    def _is_unrecorded(self, view: TrialView) -> bool:
        """Whether a trial has ended without a run, which is to be made here."""
        if view.run_id is not None:
            return False
        if self._records_trials:
            return view.state in STATUSES and view.state != INTERRUPTED
        # It failed before it could begin its own: its configuration was wrong, or the disk was full.
        return view.state == FAILED

    def record(self, arm: str, study: ArmStudy, view: TrialView, outcome: Outcome) -> None:
        """Has a trial recorded that has ended; returns at once unless many wait.

        Raises:
            FitgapError: An earlier one could not be recorded for another reason than the store's.
        """
        while self._waiting and (self._waiting[0].done() or len(self._waiting) >= _BACKLOG):
            self._waiting.popleft().result()
        self._add(functools.partial(self._record, arm, study, view, outcome))

    def catch_up(self) -> None:
        """Waits until all that has ended is recorded.

        Raises:
            FitgapError: Something could not be recorded for another reason than the store's.
        """
        while self._waiting:
            self._waiting.popleft().result()

    def _record_missing(self) -> None:
        """Has trials recorded that an earlier process was killed over, as far as they are not yet."""
        for arm, study in zip(self.search.arms, self.studies, strict=True):
            numbers = {number for name, number in self._missing if name == arm.name}
            views = [view for view in study.trials() if view.number in numbers and self._is_unrecorded(view)]
            if views:
                self._add(functools.partial(self._catch_up, arm.name, study, views))

    def _add(self, work: Callable[[], None]) -> None:
        self._waiting.append(self._thread.submit(self._attempt, work))

    def _attempt(self, work: Callable[[], None]) -> None:
        """Does what the store takes; what it does not take now is in the journals or in the study."""
        try:
            work()
        except TrackingError as error:
            self._warn(str(error))

    def _record(self, arm: str, study: ArmStudy, view: TrialView, outcome: Outcome) -> None:
        if not self._records_trials:
            if outcome.state == LOST and outcome.run_id is None:
                self._close_lost(arm, view, outcome)
            elif self._is_unrecorded(view):
                self._record_trial(arm, study, view)
        elif outcome.state != INTERRUPTED:
            self._record_trial(arm, study, view)
        if view.state == COMPLETE:
            self._keeper.consider(study)
        self._log_progress()

    def _close_lost(self, arm: str, view: TrialView, outcome: Outcome) -> None:
        """Closes the runs of a trial whose process, which would have closed them, is gone."""
        run_ids = [] if view.run_id is None else [view.run_id]
        if self.search.settings.seeds:
            # What the trial names is the run of the seed at which it ended; above it lies that of their mean.
            records = load_children(self.store, self.parent.run_id, histories=False)
            run_ids += [
                record.run_id
                for record in records
                if record.status == "RUNNING"
                and record.tags.get("fitgap.arm") == arm
                and record.tags.get("fitgap.trial_number") == str(view.number)
            ]
        for run_id in dict.fromkeys(run_ids):
            close_dead_run(self.store, run_id, outcome.state, outcome.error or outcome.state)

    def _record_trial(self, arm: str, study: ArmStudy, view: TrialView, run_id: str | None = None) -> None:
        name, objective = f"{arm} #{view.number}", self.search.objectives.names[0]
        study.set_run_id(
            view.number, record_trial(self.store, self.parent.run_id, name, arm, view, objective, run_id=run_id)
        )

    def _catch_up(self, arm: str, study: ArmStudy, views: Sequence[TrialView]) -> None:
        """Records trials which a process that was killed had told their study, but not yet recorded, or not whole."""
        begun = {
            record.tags.get("fitgap.trial_number"): record.run_id
            for record in load_children(self.store, self.parent.run_id, histories=False)
            if record.tags.get("fitgap.arm") == arm
        }
        for view in views:
            self._record_trial(arm, study, view, begun.get(str(view.number)))

    def _log_progress(self) -> None:
        """Shows the best value so far at the parent run, over the number of trials that are done."""
        if self.parent.run is None or len(self.search.objectives.objectives) > 1:
            return
        objective = self.search.objectives.objectives[0]
        best: float | None = None
        for study in self.studies:
            view = study.best()
            if view is not None and (best is None or objective.better(view.metrics[objective.name], best)):
                best = view.metrics[objective.name]
        if best is not None:
            done = sum(study.counts().counted for study in self.studies)
            self.parent.run.log_metrics({f"best_so_far_{objective.name}": best}, step=done)
