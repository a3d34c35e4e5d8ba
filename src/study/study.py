"""An arm's study: opened or gone on with, asked for trials, told what became of them, by any number of processes."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.trial import TrialState

from src.study import attributes
from src.study.counts import Counts, count_trials
from src.study.lock import exclusive
from src.study.lost import find_lost_trials
from src.study.opening import Opening, open_study
from src.study.outcome import Outcome
from src.study.owner import Owner
from src.study.pruners import build_pruner
from src.study.ranking import count_since_best, find_best, find_front, rank_trials
from src.study.reading import TrialReader
from src.study.samplers import build_sampler
from src.study.spec import Ask, StudySpec
from src.study.storage import explained
from src.study.telling import end_trial, enqueue_again
from src.study.turn import take_turn
from src.study.verdict import judge
from src.study.view import TrialView, view_trial

__all__ = ["ArmStudy", "Ask", "StudySpec"]


class ArmStudy:
    """The study of one arm of a search; its methods may be called from several threads.

    Every method raises `StudyError` where the storage cannot be used.

    Attributes:
        spec: What it is; the number of trials of a grid is at most that of its points.
        storage_url: Where it is kept.
        resumed: Whether it was there already when it was opened.
    """

    def __init__(self, storage: BaseStorage, storage_url: str, spec: StudySpec, opening: Opening) -> None:
        """Takes a study that `open` has opened."""
        self.spec = dataclasses.replace(spec, n_trials=opening.n_trials)
        self.storage_url = storage_url
        self.resumed = opening.resumed
        self._storage = storage
        self._opening = opening
        self._reader = TrialReader(storage, opening.study_id)
        self._sampling = threading.Lock()
        self._pruner = build_pruner(spec.pruner, spec.pruner_kwargs)
        self._sampler = build_sampler(
            spec.sampler,
            spec.sampler_kwargs,
            seed=opening.seed,
            num_objectives=len(spec.objectives.objectives),
            has_conditions=spec.space.has_conditions,
        )

    @classmethod
    def open(
        cls, storage: BaseStorage, storage_url: str, spec: StudySpec, points: Sequence[Mapping[str, Any]] = ()
    ) -> ArmStudy:
        """Creates a study, or goes on with the one that is there.

        Args:
            storage: What `open_storage` has returned.
            storage_url: The URL that it was opened with.
            spec: What the study is to be.
            points: What it tries first if it is new, checked already.

        Raises:
            ConfigError: The study was begun with something else, or by another program; its sampler or pruner cannot
                be had; or it is a grid of a space without end.
        """
        with explained(storage_url):
            return cls(storage, storage_url, spec, open_study(storage, storage_url, spec, points))

    @property
    def name(self) -> str:
        """The study's name within the storage."""
        return self.spec.name

    @property
    def study(self) -> optuna.Study:
        """Optuna's study, which knows what is stored at this moment."""
        # A study keeps the trials that its sampler has seen; a new one has none to keep.
        return optuna.load_study(
            study_name=self.name, storage=self._storage, sampler=self._sampler, pruner=self._pruner
        )

    def ask(self, owner: Owner) -> Ask | None:
        """Returns the next trial, which is then running and the owner's; None where all are taken."""
        with explained(self.storage_url):
            with exclusive(self.storage_url, self.name):
                trial_id = take_turn(self._storage, self._opening, owner, is_grid=self.spec.sampler == "grid")
            if trial_id is None:
                return None
            self._reader.refresh()
            with self._sampling:
                trial = optuna.Trial(self.study, trial_id)
                values = self.spec.space.suggest(trial, self.spec.fixed)
        view = view_trial(self._storage.get_trial(trial_id))
        overrides = tuple(self.spec.space.to_overrides(values))
        return Ask(trial.number, trial_id, values, overrides, view.attempt, view.failures, view.checkpoints)

    def place(self, number: int, folder: str) -> None:
        """Keeps where a running trial's files lie, for whoever finds it lost."""
        with explained(self.storage_url), contextlib.suppress(UpdateFinishedTrialError):
            self._storage.set_trial_user_attr(self._find_id(number), attributes.FOLDER, folder)

    def note_out_of_memory(self, number: int, error: str, run_id: str | None) -> None:
        """Keeps why a running trial is run again, alone on its GPU.

        Args:
            number: The trial.
            error: How it ran out of memory.
            run_id: What is its run until it names one again; the one that it had is that of an attempt that is over.
        """
        with explained(self.storage_url), contextlib.suppress(UpdateFinishedTrialError):
            trial_id = self._find_id(number)
            self._storage.set_trial_user_attr(trial_id, attributes.OUT_OF_MEMORY, error)
            self._storage.set_trial_user_attr(trial_id, attributes.RUN_ID, run_id)
        self._reader.refresh()

    def set_run_id(self, number: int, run_id: str) -> None:
        """Keeps a trial's run in the tracking store; the trial may have ended."""
        with explained(self.storage_url):
            try:
                self._storage.set_trial_user_attr(self._find_id(number), attributes.RUN_ID, run_id)
            except UpdateFinishedTrialError:
                # Optuna changes nothing at a trial that has ended.
                self.set_attr(f"{attributes.LATE_RUN_ID}{number}", run_id)
                self._reader.name_run(number, run_id)
        self._reader.refresh()

    def beat(self, number: int) -> None:
        """Records a sign of life of a running trial whose job does not do so, or not yet."""
        if isinstance(self._storage, BaseHeartbeat):
            with explained(self.storage_url):
                self._storage.record_heartbeat(self._find_id(number))

    def report(self, number: int, value: float, step: int) -> None:
        """Reports an intermediate value of a running trial; one that has ended elsewhere takes none."""
        with explained(self.storage_url), contextlib.suppress(UpdateFinishedTrialError):
            self._storage.set_trial_intermediate_value(self._find_id(number), step, value)

    def should_prune(self, number: int) -> bool:
        """Returns whether the pruner would stop a trial, by what was reported of it."""
        with explained(self.storage_url):
            return self._pruner.prune(self.study, self._storage.get_trial(self._find_id(number)))

    def view(self, number: int) -> TrialView:
        """Returns a trial as it is stored at this moment."""
        with explained(self.storage_url):
            return view_trial(self._storage.get_trial(self._find_id(number)))

    def find_lost(self) -> list[TrialView]:
        """Returns the running trials whose process has ended, or whose machine gives no sign of life any more."""
        with explained(self.storage_url):
            return [view_trial(trial) for trial in find_lost_trials(self._storage, self._opening.study_id)]

    def tell(self, number: int, outcome: Outcome, *, retry: bool) -> TrialView:
        """Ends a trial, and has it run again if it failed and `retry` says so; one that has ended stays as it is.

        Raises:
            MissingMetricError: The outcome lacks the objective; the trial has failed.
        """
        verdict = judge(outcome, self.spec.objectives)
        with explained(self.storage_url):
            study = self.study
            trial = self._storage.get_trial(self._find_id(number))
            if not trial.state.is_finished():
                if retry and verdict.state == TrialState.FAIL and verdict.problem is None:
                    with exclusive(self.storage_url, self.name):
                        enqueue_again(study, trial, outcome.state)
                with contextlib.suppress(UpdateFinishedTrialError):
                    end_trial(study, trial, verdict)
            self._reader.refresh()
            view = view_trial(self._storage.get_trial(trial._trial_id))
        if verdict.problem is not None:
            raise verdict.problem
        return view

    def refresh(self) -> None:
        """Has the next look at the trials see all that other processes have done until then."""
        self._reader.refresh(runs=True)

    def trials(self) -> list[TrialView]:
        """Returns all trials in the order of their numbers.

        What other processes do is seen within a second; runs that they name after a trial has ended, within ten.
        """
        with explained(self.storage_url):
            return self._reader.read()

    def counts(self) -> Counts:
        """Returns how many trials there are, where one that is run again counts once."""
        return count_trials(self.trials())

    def best(self) -> TrialView | None:
        """Returns the best feasible trial, of equals the earlier; None where there is none, or two objectives."""
        return find_best(self.trials(), self.spec.objectives)

    def ranking(self) -> list[TrialView]:
        """Returns the complete, feasible trials, best first by the first objective."""
        return rank_trials(self.trials(), self.spec.objectives)

    def front(self) -> list[TrialView]:
        """Returns the feasible trials than which none is better in one objective without being worse in another."""
        return find_front(self.trials(), self.spec.objectives)

    def trials_since_best(self) -> int:
        """Returns how many trials have ended since the last one that improved on all before it."""
        return count_since_best(self.trials(), self.spec.objectives)

    def get_attr(self, key: str) -> Any:
        """Returns what was kept at the study under a key; None where nothing was."""
        with explained(self.storage_url):
            return self._storage.get_study_user_attrs(self._opening.study_id).get(key)

    def set_attr(self, key: str, value: Any) -> None:
        """Keeps a JSON value at the study."""
        with explained(self.storage_url):
            self._storage.set_study_user_attr(self._opening.study_id, key, value)

    def _find_id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._opening.study_id, number)
