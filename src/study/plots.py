"""Optuna's pictures of a study: which of them there is enough for, with short names."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization import matplotlib as plots

from src.errors import StorageError
from src.figures import studies
from src.figures.borrowed import Heading, borrow_figure
from src.figures.style import save_figure
from src.study.objective import Objectives

_log = logging.getLogger(__name__)


def draw_plots(
    study: optuna.Study, objectives: Objectives, folder: Path, wants_end: Callable[[], bool] = lambda: False
) -> list[Path]:
    """Draws all pictures of a study that there are enough trials for, and returns their files.

    A picture that Optuna cannot draw all the same is left out, and the log says why. Those that are left are not drawn
    once `wants_end` says so.

    Raises:
        StorageError: A file cannot be written.
    """
    paths = []
    for draw in StudyPictures(study, objectives, folder).choose():
        if wants_end():
            break
        try:
            paths.append(draw())
        except StorageError:
            raise
        except Exception:
            _log.warning("A picture of study %s was left out.", study.study_name, exc_info=True)
    return paths


class StudyPictures:
    """A study's pictures, drawn from a copy of it in which keys are as short as they can be."""

    def __init__(self, study: optuna.Study, objectives: Objectives, folder: Path) -> None:
        """Takes the study as it is now."""
        trials = study.get_trials(deepcopy=False)
        self.name = study.study_name
        self.objectives = objectives
        self.folder = folder
        self.study = _copy(study, trials, objectives.names)
        self.complete = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        self.distributions = {
            name: distribution for trial in self.complete for name, distribution in trial.distributions.items()
        }

    def choose(self) -> list[Callable[[], Path]]:
        """Returns what draws the pictures that there are enough trials for."""
        several = len(self.objectives.names) > 1
        chosen: list[Callable[[], Path]] = []
        if self.complete:
            chosen.append(self.draw_front if several else self.draw_history)
        if self.has_importances():
            chosen.append(self.draw_importances)
        if self.complete and self.distributions:
            chosen += [partial(self.draw_slices, index) for index in range(len(self.objectives.names))]
        if not several and any(trial.intermediate_values for trial in self.study.get_trials(deepcopy=False)):
            chosen.append(self.draw_intermediate)
        # A line needs two axes besides that of the objective to say more than the slices do.
        if len(self.complete) > 1 and len(self.distributions) > 1:
            chosen.append(self.draw_parallel)
        return chosen

    def has_importances(self) -> bool:
        """Whether there are at least two trials that differ in their values, and in some key."""
        if len(self.complete) < 2:
            return False
        varied = [
            index for index in range(len(self.objectives.names)) if len({t.values[index] for t in self.complete}) > 1
        ]
        differing = [name for name in self.distributions if len({repr(t.params.get(name)) for t in self.complete}) > 1]
        return len(varied) == len(self.objectives.names) and bool(differing)

    def draw_history(self) -> Path:
        """Draws the values of all trials over their numbers."""
        (name,) = self.objectives.names
        with borrow_figure(lambda: plots.plot_optimization_history(self.study, target_name=name)) as figure:
            studies.dress_history(figure, self._head("trial by trial"), name)
            return self._save(figure, "optimization_history")

    def draw_front(self) -> Path:
        """Draws the trials by their two objectives."""
        first, second = self.objectives.names
        with borrow_figure(lambda: plots.plot_pareto_front(self.study, target_names=[first, second])) as figure:
            studies.dress_front(figure, self._head("the front"), first, second)
            return self._save(figure, "pareto_front")

    def draw_importances(self) -> Path:
        """Draws how much each searched key matters."""
        with borrow_figure(lambda: plots.plot_param_importances(self.study)) as figure:
            names = self.objectives.names
            studies.dress_importances(figure, self._head("what matters"), len(names))
            return self._save(figure, "param_importances")

    def draw_slices(self, index: int) -> Path:
        """Draws the values of one objective over each searched key."""
        objective = self.objectives.objectives[index]
        target: Callable[[FrozenTrial], float] | None = None
        if len(self.objectives.names) > 1:

            def target(trial: FrozenTrial) -> float:
                return float(trial.values[index])

        ranges = {
            name: studies.Range(float(kind.low), float(kind.high), kind.log)
            for name, kind in self.distributions.items()
            if isinstance(kind, FloatDistribution | IntDistribution)
        }
        with borrow_figure(lambda: plots.plot_slice(self.study, target=target, target_name=objective.name)) as figure:
            heading = self._head(f"{objective.name} by searched key")
            studies.dress_slices(figure, heading, objective.name, ranges, maximize=objective.direction == "maximize")
            several = len(self.objectives.names) > 1
            return self._save(figure, f"slice_{objective.name}" if several else "slice")

    def draw_intermediate(self) -> Path:
        """Draws the courses of the trials."""
        (name,) = self.objectives.names
        trials = self.study.get_trials(deepcopy=False)
        pruned = {trial.number for trial in trials if trial.state == TrialState.PRUNED}
        best = self._find_best()
        with borrow_figure(lambda: plots.plot_intermediate_values(self.study)) as figure:
            heading = self._head("step by step")
            studies.dress_intermediate(figure, heading, name, None if best is None else best.number, pruned)
            return self._save(figure, "intermediate_values")

    def draw_parallel(self) -> Path:
        """Draws each trial as a line across the searched keys."""
        best = self._find_best()
        value = None if best is None else best.value
        logarithmic = [name for name, kind in self.distributions.items() if getattr(kind, "log", False)]
        names = self.objectives.names
        with borrow_figure(lambda: plots.plot_parallel_coordinate(self.study, target_name=names[0])) as figure:
            studies.dress_parallel(figure, self._head("all keys at once"), logarithmic, value)
            return self._save(figure, "parallel_coordinate")

    def _find_best(self) -> FrozenTrial | None:
        """Returns the best feasible trial; None where there is none, or two objectives, of which no trial is best."""
        try:
            return self.study.best_trial
        except (RuntimeError, ValueError):
            return None

    def _head(self, what: str) -> Heading:
        states = [trial.state for trial in self.study.get_trials(deepcopy=False)]
        pruned = states.count(TrialState.PRUNED)
        plural = "" if len(self.complete) == 1 else "s"
        counts = f"{len(self.complete)} complete trial{plural}" + (f", {pruned} pruned" if pruned else "")
        return Heading(f"{self.name}: {what}", counts)

    def _save(self, figure: Any, name: str) -> Path:
        path = self.folder / f"{name}.png"
        save_figure(figure, path)
        return path


def shorten_keys(trials: list[FrozenTrial]) -> dict[str, str]:
    """Returns a name for each key: its last part, or all of it where another key ends with the same."""
    keys = list(dict.fromkeys(key for trial in trials for key in trial.distributions))
    short = [key.lstrip("+").rpartition(".")[2] for key in keys]
    return {key: name if short.count(name) == 1 else key for key, name in zip(keys, short, strict=True)}


def _copy(study: optuna.Study, trials: list[FrozenTrial], objectives: Sequence[str]) -> optuna.Study:
    """Returns a copy in memory, with the same numbers; trials without a finite value count as failed."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    copy = optuna.create_study(
        directions=study.directions,
        storage=optuna.storages.InMemoryStorage(),
        sampler=optuna.samplers.RandomSampler(),
        pruner=optuna.pruners.NopPruner(),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        copy.set_metric_names(list(objectives))
    names = shorten_keys(trials)
    for trial in trials:
        state, values = trial.state, trial.values if trial.state == TrialState.COMPLETE else None
        if values is not None and not all(map(math.isfinite, values)):
            state, values = TrialState.FAIL, None
        steps = {} if state == TrialState.FAIL else trial.intermediate_values
        copy.add_trial(
            optuna.trial.create_trial(
                state=state if state.is_finished() else TrialState.FAIL,
                values=values,
                params={names[key]: value for key, value in trial.params.items()},
                distributions={names[key]: kind for key, kind in trial.distributions.items()},
                intermediate_values={step: value for step, value in steps.items() if math.isfinite(value)},
                constraints=trial.constraints or None,
            )
        )
    return copy
