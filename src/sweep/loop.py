"""The loop of a search: asks for trials, keeps the slots busy, tells what became of them, and notices what was lost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from src.ending import LOST
from src.errors import StudyError
from src.study.objective import MissingMetricError
from src.study.outcome import Outcome
from src.study.owner import Owner
from src.study.study import ArmStudy
from src.study.view import TrialView
from src.sweep.budget import Budget
from src.sweep.failures import FailurePolicy
from src.sweep.job import JobRunner, Trial, read_written
from src.sweep.monitor import Monitor
from src.sweep.parent import Parent
from src.sweep.plan import Search
from src.sweep.recorder import Recorder
from src.sweep.room import Room
from src.sweep.signals import Interruption
from src.sweep.slots import Slots
from src.tracking.store import Store

#: How often the loop looks whether the user wants to end it.
_POLL_SECONDS = 0.2
#: How often it saves the time used and looks for trials that other processes have lost.
_TICK_SECONDS = 5.0
#: How long a storage may be away before the search ends over it.
_AWAY_SECONDS = 300.0
#: The study's attribute that holds the seconds which its search has run.
SECONDS_ATTRIBUTE = "fitgap.seconds"


class SearchLoop:
    """Runs the trials of a search until every arm has its total, or something ends it.

    Attributes:
        failure: The failure policy's reason to end the search; None if there was none.
        failures: The failure policy.
        shortage: What disk is so full that no further trial is started; None as long as there is room.
    """

    def __init__(
        self,
        *,
        search: Search,
        studies: Sequence[ArmStudy],
        found: Sequence[Sequence[str]],
        store: Store,
        parent: Parent,
        runner: JobRunner,
        budget: Budget,
        failures: FailurePolicy,
        room: Room,
        monitor: Monitor,
        interruption: Interruption,
    ) -> None:
        """Takes everything that the search has opened."""
        self.search = search
        self.studies = studies
        self.found = found
        self.store = store
        self.parent = parent
        self.runner = runner
        self.budget = budget
        self.failures = failures
        self.failure: str | None = None
        self.room = room
        self.shortage: str | None = None
        self._monitor = monitor
        self._interruption = interruption
        self._owner = Owner.current()
        self._slots: Slots[Trial, Outcome] = Slots(search.launching.slots, runner.run, inline=search.launching.inline)
        self._recorder = Recorder(search, studies, store, parent, monitor.warn)
        self._problem: MissingMetricError | None = None
        self._untold: list[tuple[Trial, Outcome]] = []
        self._away_since: float | None = None
        self._last_tick = 0.0

    def run(self) -> str:
        """Runs until the end, and returns why it ended.

        Raises:
            MissingMetricError: A trial did not come to the objective; running trials have ended before.
            StudyError: The storage has not answered for minutes.
        """
        with self._monitor, self._recorder:
            self._tick(force=True)
            end: str | None = None
            while end is None or self._slots.running or self._untold:
                try:
                    end = self._advance()
                    self._away_since = None
                except StudyError as error:
                    self._wait_for_storage(error)
            self._tick(force=True)
        # What repeats the best trial begins after the end.
        self.runner.ending = False
        if self._problem is not None:
            raise self._problem
        return end

    def _advance(self) -> str | None:
        """Does what can be done at this moment, and returns why no further trial is started, if none is."""
        if self._interruption.at_once and not self.runner.stopped:
            self.runner.stopped = True
            self.search.launching.stop()
        self._untold += self._slots.wait(_POLL_SECONDS if self._slots.running else 0)
        while self._untold:
            self._settle(*self._untold[0])
            # Now: one that the storage has not taken is told again.
            del self._untold[0]
        self._tick()
        end = self._find_end()
        self.shortage = None
        if end is None:
            shortage = self.room.find_shortage()
            if shortage is None:
                self._fill_slots()
            end = self._find_completion()
            if end is None and shortage is not None:
                # What runs may free some: then the search goes on.
                end = self.shortage = shortage
        self.runner.ending = end is not None
        self._monitor.refresh(self._slots.running, end)
        if not self._slots.running and end is None:
            # What is missing runs in other processes.
            time.sleep(_POLL_SECONDS)
        return end

    def _wait_for_storage(self, error: StudyError) -> None:
        """Gives a storage that is away minutes to come back: trainings that run need not be lost over it.

        Raises:
            StudyError: It has been away for too long, or nobody wants to wait.
        """
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            self._monitor.warn(f"{error} Trying again for {_AWAY_SECONDS / 60:g} minutes.")
        if now - self._away_since > _AWAY_SECONDS or self._interruption.at_once:
            raise error
        time.sleep(1)

    def _find_end(self) -> str | None:
        if self._interruption.requests:
            return "interrupted"
        if self._problem is not None:
            return "the objective is missing"
        self.failure = self.failures.find_end()
        return self.failure or self.budget.find_end()

    def _find_completion(self) -> str | None:
        """Returns why no arm needs another trial; what other processes run is waited for, since it may be lost."""
        short = [study for study in self.studies if study.counts().counted < study.spec.n_trials]
        if not short:
            return "all trials are done"
        if all(self._ran_out_of_patience(study) for study in short):
            number = self.search.settings.patience
            return f"nothing has improved for {number} trials (hydra.sweeper.patience)"
        return None

    def _ran_out_of_patience(self, study: ArmStudy) -> bool:
        patience = self.search.settings.patience
        return patience is not None and study.trials_since_best() >= patience

    def _fill_slots(self) -> None:
        while self._slots.free > self.search.launching.held_back:
            trial = self._ask()
            if trial is None:
                return
            self._monitor.start(trial)
            if self._slots.inline:
                self._place(trial)
            self._slots.submit(trial)
            if not self._slots.inline:
                # While it runs, rather than while its slot waits for it.
                self._place(trial)

    def _place(self, trial: Trial) -> None:
        trial.study.place(trial.ask.number, str(trial.folder))

    def _ask(self) -> Trial | None:
        """Returns the next trial of the arm that has had the fewest; None where no arm has one to give."""
        order = sorted(range(len(self.studies)), key=lambda index: self.studies[index].counts().started)
        for index in order:
            study = self.studies[index]
            if self._ran_out_of_patience(study):
                continue
            ask = study.ask(self._owner)
            if ask is None:
                continue
            arm = self.search.arms[index]
            subdir = f"{arm.cell.number}-{ask.number}" if arm.cell.axes else str(ask.number)
            folder = self.search.folder / subdir
            return Trial(arm, study, ask, self.found[index], folder, subdir)
        return None

    def _settle(self, trial: Trial, outcome: Outcome) -> None:
        """Tells the study what became of a trial, and everybody else."""
        retry = self.failures.wants_retry(outcome, trial.ask.attempt, trial.ask.failures)
        try:
            view = trial.study.tell(trial.ask.number, outcome, retry=retry)
        except MissingMetricError as error:
            self._problem = error
            self._recorder.record(trial.arm.name, trial.study, trial.study.trials()[trial.ask.number], outcome)
            self.runner.discard_checkpoints(trial.study, trial.checkpoints)
            return
        self._recorder.record(trial.arm.name, trial.study, view, outcome)
        if retry:
            # The next attempt may go on with the run of this one, which must have been closed before.
            self._recorder.catch_up()
        elif view.state == outcome.state:
            # Unless another process has given the trial up meanwhile, and goes on from there.
            self.runner.discard_checkpoints(trial.study, trial.checkpoints)
        if not retry:
            self.failures.count(outcome, trial.name)
        self._monitor.end(trial, view, retry)

    def _tick(self, *, force: bool = False) -> None:
        """Saves the time used, and gives back to the studies what processes that died have left."""
        now = time.monotonic()
        if not force and now - self._last_tick < _TICK_SECONDS:
            return
        self._last_tick = now
        for trial in self._slots.running:
            # One that waits in the queue of a cluster gives no sign of life yet.
            trial.study.beat(trial.ask.number)
        for study in self.studies:
            if self.parent.run is not None:
                study.set_attr(SECONDS_ATTRIBUTE, self.budget.used)
            for lost in study.find_lost():
                self._recover(study, lost)

    def _recover(self, study: ArmStudy, lost: TrialView) -> None:
        """Settles a trial whose process is dead: as what it had come to, or as lost, to be run again."""
        arm = self.search.arms[self.studies.index(study)]
        written = read_written(lost.folder, self.search.settings.seeds)
        outcome = written or Outcome(LOST, {}, "its process, or that of its sweep, is gone")
        retry = self.failures.wants_retry(outcome, lost.attempt, lost.failures)
        view = study.tell(lost.number, outcome, retry=retry)
        self._recorder.record(arm.name, study, view, outcome)
        if not retry:
            if lost.checkpoints is not None:
                self.runner.discard_checkpoints(study, Path(lost.checkpoints))
            self.failures.count(outcome, f"{arm.name} #{lost.number}")
        self._monitor.warn(f"{arm.name} #{lost.number}: {outcome.state}" + (", will be run again" if retry else ""))
        if retry:
            self._recorder.catch_up()
