"""One trial as one or more Hydra jobs: what they are told, and what became of them."""

from __future__ import annotations

import functools
import logging
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.utils import JobReturn, JobStatus

from src.comparison.selection import RETRIED_TAG
from src.config.sweeper import SweeperConfig
from src.ending import COMPLETE, FAILED, INTERRUPTED, LOST, OOM, PRUNED, TIMEOUT
from src.errors import ConfigError, FitgapError, TrackingError
from src.explanation import describe_error
from src.gpus.lease import Lease
from src.naming import shorten
from src.study.outcome import Outcome
from src.study.storage import HEARTBEAT_SECONDS
from src.study.study import ArmStudy, Ask
from src.study.ticket import TICKET, Ticket, name_checkpoint
from src.sweep.application import Application, Place
from src.sweep.arms import Arm
from src.sweep.launching import Launching, find_lease
from src.sweep.recording import OUT_OF_MEMORY_TAG, SeedRecorder, close_dead_run
from src.sweep.values import describe_values
from src.tracking.store import Store
from src.tracking.sweeps import add_to_run

#: Name of the file in a job's folder in which it says how it ended.
OUTCOME = "outcome.json"

#: What runs one job, given its overrides and its number; and a job that is run by the like of it.
Launch = Callable[[Sequence[str], int], JobReturn]
Job = Callable[[Launch], tuple[Outcome, Lease | None]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """A trial that is to be run.

    Attributes:
        arm: Its arm.
        study: The arm's study.
        ask: Its number and parameters.
        found: Overrides that all runs of the arm get because of what was found.
        folder: Where its files lie.
        subdir: The same below the sweep's folder.
    """

    arm: Arm
    study: ArmStudy
    ask: Ask
    found: Sequence[str]
    folder: Path
    subdir: str

    @property
    def name(self) -> str:
        """What people are told of it as."""
        return f"{self.arm.name} #{self.ask.number}"

    @property
    def checkpoints(self) -> Path:
        """Folder of its checkpoints, which its attempts share."""
        return self.folder if self.ask.checkpoints is None else Path(self.ask.checkpoints)

    @property
    def run_name(self) -> str:
        """What its run is called: its number and values, after its arm where there are several."""
        arm, values = f"{self.arm.name} " if self.arm.cell.axes else "", describe_values(self.ask.values)
        return shorten(f"{arm}#{self.ask.number}" + (f": {values}" if values else ""))


class JobRunner:
    """Runs trials through a launcher; may be called from several threads at once.

    Attributes:
        stopped: Whether all jobs have been ended at once.
        ending: Whether none is to begin any more: who waits to be run again alone on its GPU gives up, until next time.
    """

    def __init__(
        self,
        settings: SweeperConfig,
        application: Application,
        launching: Launching,
        store: Store,
        parent_run_id: str,
        storage: str,
    ) -> None:
        """Takes what all trials of a search have in common."""
        self.settings = settings
        self.application = application
        self.launching = launching
        self.store = store
        self.parent_run_id = parent_run_id
        self.storage = storage
        self.stopped = False
        self.ending = False

    def run(self, trial: Trial) -> Outcome:
        """Runs a trial, once or with each of the seeds, and returns how it ended; never raises."""
        try:
            if trial.ask.checkpoints is None:
                # Of an earlier study of this name, whose sweep had the same folder.
                self.discard_checkpoints(trial.study, trial.folder)
            if self.settings.seeds:
                return self._run_seeds(trial)
            return self._run_job(trial, trial.folder, trial.subdir, self.parent_run_id, trial.run_name)
        except Exception as error:
            return to_outcome(error)

    def discard_checkpoints(self, study: ArmStudy, folder: Path) -> None:
        """Deletes what the attempts of a trial have kept of its training, as it is not run again.

        What cannot be deleted, a budget of the disk finds.
        """
        with suppress(OSError):
            for path in folder.rglob(self._name_checkpoint(study)):
                path.unlink(missing_ok=True)

    def _name_checkpoint(self, study: ArmStudy) -> str:
        return name_checkpoint(self.storage, study.spec.name)

    def repeat(self, trial: Trial, seed: int, parent_run_id: str) -> Outcome:
        """Runs the parameters of a trial that is over with another seed; the study hears nothing of it."""
        try:
            name = f"{trial.name} seed {seed}"
            return self._run_job(trial, trial.folder, trial.subdir, parent_run_id, name, seed, counts=False)
        except Exception as error:
            return to_outcome(error)

    def _run_seeds(self, trial: Trial) -> Outcome:
        """Runs a trial once with each seed, under a run of its own that holds the mean."""
        recorder = SeedRecorder(self.store, self.parent_run_id, trial.run_name, trial.arm.name, trial.ask)
        try:
            outcomes = self._train_seeds(trial, recorder)
            mean = average(outcomes, recorder.run_id)
        except Exception as error:
            # The storage of the studies is away, or the disk is full: the run must not stay open.
            recorder.finish(to_outcome(error))
            raise
        recorder.finish(mean, [outcome.run_id for outcome in outcomes if outcome.run_id is not None])
        return mean

    def _train_seeds(self, trial: Trial, recorder: SeedRecorder) -> list[Outcome]:
        """Returns the outcomes of a trial's seeds, until one did not complete, or the pruner saw enough of them."""
        outcomes: list[Outcome] = []
        for index, seed in enumerate(self.settings.seeds):
            name = f"seed-{seed}"
            # Until the seed has named its own: should its process die before, that of the last seed is long closed.
            trial.study.set_run_id(trial.ask.number, recorder.run_id)
            outcome = self._take_over_seed(trial, name, recorder) or self._run_job(
                trial, trial.folder / name, f"{trial.subdir}/{name}", recorder.run_id, f"{trial.name} seed {seed}", seed
            )
            outcomes.append(outcome)
            if outcome.state != COMPLETE:
                break
            if trial.checkpoints != trial.folder:
                # Where the next attempt looks for it.
                with suppress(OSError):
                    outcome.write(trial.checkpoints / name / OUTCOME)
            # With several objectives Optuna does not prune.
            if len(trial.study.spec.objectives.objectives) == 1:
                trial.study.report(trial.ask.number, trial.study.spec.objectives.values(outcome.metrics)[0], index)
                if index + 1 < len(self.settings.seeds) and trial.study.should_prune(trial.ask.number):
                    outcomes.append(Outcome(PRUNED, {}))
                    break
        return outcomes

    def _take_over_seed(self, trial: Trial, name: str, recorder: SeedRecorder) -> Outcome | None:
        """Returns what a seed had come to in an earlier attempt; None where it had not, so that it has to be run."""
        if trial.ask.checkpoints is None:
            return None
        outcome = Outcome.read(trial.checkpoints / name / OUTCOME)
        if outcome is None or outcome.state != COMPLETE:
            return None
        if outcome.run_id is not None:
            place = {"mlflow.parentRunId": recorder.run_id, "fitgap.trial_number": str(trial.ask.number)}
            # Where the store is away, the mean has all seeds all the same.
            with suppress(TrackingError):
                add_to_run(self.store, outcome.run_id, tags=place)
        return outcome

    def _run_job(
        self,
        trial: Trial,
        folder: Path,
        subdir: str,
        parent_run_id: str,
        name: str,
        seed: int | None = None,
        *,
        counts: bool = True,
    ) -> Outcome:
        ticket, spec = folder / TICKET, trial.study.spec
        folder.mkdir(parents=True, exist_ok=True)
        # Of another search, whose sweep had the same folder: it would pass for this job's if its process died.
        (folder / OUTCOME).unlink(missing_ok=True)
        Ticket(
            storage=self.storage,
            study_name=spec.name,
            trial_id=trial.ask.trial_id if counts else None,
            number=trial.ask.number,
            objectives=spec.objectives.names,
            pruner=spec.pruner,
            pruner_kwargs=dict(spec.pruner_kwargs),
            reports=seed is None and len(spec.objectives.names) == 1,
            timeout_seconds=self.settings.trial_timeout,
            outcome=str(folder / OUTCOME),
            heartbeat_seconds=HEARTBEAT_SECONDS,
            # What repeats a trial that is over is not run again.
            checkpoint=str(trial.checkpoints / folder.relative_to(trial.folder) / self._name_checkpoint(trial.study))
            if counts
            else None,
        ).write(ticket)
        place = Place(
            experiment=self.store.experiment_name,
            experiment_id=self.store.experiment_id,
            parent_run_id=parent_run_id,
            arm=trial.arm.name,
            number=trial.ask.number,
            run_name=name,
            kind=None if seed is None else "seed" if counts else "repetition",
        )
        overrides = [
            *trial.arm.cell.overrides,
            *trial.ask.overrides,
            *trial.found,
            *([] if seed is None else [f"{self.settings.seed_key}={seed}"]),
            *self.application.place(place),
            f"hydra.sweep.subdir={quote(subdir)}",
            f"++hydra.job.env_set.FITGAP_TRIAL={quote(str(ticket))}",
        ]
        job = functools.partial(self._launch, trial, overrides, folder, parent_run_id, counts=counts)
        outcome, lease = job(self.launching.launch)
        if outcome.state != OOM or lease is None or not lease.shared or self.stopped:
            return outcome
        if counts:
            # Of a seed it is the run of their mean, as before its first attempt.
            before = None if parent_run_id == self.parent_run_id else parent_run_id
            trial.study.note_out_of_memory(trial.ask.number, outcome.error or OOM, before)
        return self._run_alone(name, job, outcome, lease, folder)

    def _launch(
        self,
        trial: Trial,
        overrides: Sequence[str],
        folder: Path,
        parent_run_id: str,
        launch: Launch,
        *,
        counts: bool,
    ) -> tuple[Outcome, Lease | None]:
        """Returns how a job ended, and what it had of a GPU."""
        try:
            result = launch(overrides, trial.ask.number)
        except Exception as error:
            # Some launchers raise where a job's process died.
            return self._settle_death(trial, error, folder, parent_run_id, counts=counts), None
        returned: Any = result._return_value
        if result.status is JobStatus.COMPLETED:
            return Outcome.from_dict(returned), find_lease(result)
        return self._settle_death(trial, returned, folder, parent_run_id, counts=counts), find_lease(result)

    def _run_alone(self, name: str, job: Job, first: Outcome, lease: Lease, folder: Path) -> Outcome:
        """Runs a job again, which ran out of memory beside others, with its GPU for itself; it is the same trial."""
        error = first.error or OOM
        _log.warning("%s ran out of memory with %s of GPU %s: %s", name, lease.describe_share(), lease.device, error)
        _log.warning("%s is run again, alone there, as soon as what runs there has ended", name)
        self._tag(first.run_id, {RETRIED_TAG: "true"})
        # It would pass for that of the second attempt if its process died.
        (folder / OUTCOME).unlink(missing_ok=True)
        last, _ = job(functools.partial(self.launching.launch_alone, lease=lease, wanted=lambda: not self.ending))
        self._tag(last.run_id, {OUT_OF_MEMORY_TAG: error})
        return replace(last, hopeless=True) if last.state == OOM else last

    def _tag(self, run_id: str | None, tags: Mapping[str, str]) -> None:
        """Tags the run of an application that records its own; where the store is away, the conclusion does it."""
        if run_id is not None and self.application.records_runs:
            with suppress(TrackingError):
                add_to_run(self.store, run_id, tags=tags)

    def _settle_death(self, trial: Trial, error: object, folder: Path, parent_run_id: str, *, counts: bool) -> Outcome:
        """Returns the outcome of a job that returned nothing, and closes the run that it could not close any more."""
        # The job may have come to its end before its process died.
        outcome = Outcome.read(folder / OUTCOME) or to_outcome(error)
        if outcome.state == LOST and self.stopped:
            outcome = replace(outcome, state=INTERRUPTED, error="ended by the user")
        run_id = trial.study.view(trial.ask.number).run_id if counts else None
        if run_id not in (None, parent_run_id) and outcome.run_id is None and self.application.records_runs:
            # Where the store is away, the next look at what dead processes have left closes it.
            with suppress(TrackingError):
                close_dead_run(self.store, run_id, outcome.state, outcome.error or outcome.state)
            outcome = replace(outcome, run_id=run_id)
        return outcome


def to_outcome(error: object) -> Outcome:
    """Returns the outcome of a job that could not tell it, as its process died or its configuration is wrong."""
    kind = type(error).__name__
    text = f"{kind}: {error}"
    if kind == "JobTimeoutError":
        return Outcome(TIMEOUT, {}, text)
    if kind == "JobGivenUpError":
        return Outcome(INTERRUPTED, {}, text)
    if kind in _DEATHS:
        return Outcome(OOM if getattr(error, "out_of_memory", False) else LOST, {}, text)
    message = describe_error(error) if isinstance(error, BaseException) else None
    # What is known and none of ours is said of a configuration, which Hydra could not compose.
    name = kind if isinstance(error, FitgapError | OSError) else ConfigError.__name__
    return Outcome(FAILED, {}, text if message is None else f"{name}: {message}")


#: Names of the exceptions with which launchers say that a job's process died.
_DEATHS = ("WorkerDiedError", "TerminatedWorkerError", "BrokenProcessPool", "UncompletedJobError", "FailedJobError")


def average(outcomes: Sequence[Outcome], run_id: str) -> Outcome:
    """Returns the outcome of a trial from those of its seeds: the means, and as `…_std` the standard deviations.

    The first seed that did not complete decides the state; what the others came to is kept.
    """
    last = outcomes[-1]
    complete = [outcome for outcome in outcomes if outcome.state == COMPLETE]
    metrics: dict[str, float] = {}
    # A metric that some seeds do not have, such as `overfit_epoch`, has no mean over the seeds.
    shared = set.intersection(*(set(outcome.metrics) for outcome in complete)) if complete else set()
    for key in sorted(shared):
        values = [outcome.metrics[key] for outcome in complete]
        metrics[key] = statistics.fmean(values)
        if len(values) > 1:
            # Of a sample, whose size people read beside it.
            metrics[f"{key}_std"] = statistics.stdev(values)
    metrics["num_seeds"] = float(len(complete))
    seconds = sum(outcome.seconds for outcome in outcomes)
    return Outcome(last.state, metrics, last.error, last.traceback, run_id, seconds)


def quote(value: str) -> str:
    """Returns a text as a quoted value in Hydra's grammar."""
    return QuotedString(value, Quote.single).with_quotes()


def read_written(folder: str | None, seeds: Sequence[int]) -> Outcome | None:
    """Returns what a trial, whose sweep was killed, had come to; None where it had not come to its end.

    Args:
        folder: The trial's folder, where it has one.
        seeds: Seeds with which it was run.
    """
    if folder is None:
        return None
    return None if seeds else Outcome.read(Path(folder) / OUTCOME)
