"""Runs that the sweep records itself: of a trial repeated over seeds, and of applications that do not record theirs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from src.ending import COMPLETE, STATUSES
from src.errors import TrackingError
from src.study.outcome import Outcome
from src.study.study import Ask
from src.study.view import TrialView
from src.tracking.address import check_reachable
from src.tracking.outbox import await_end
from src.tracking.records import load_children
from src.tracking.run import TrackedRun, resume_run, start_run
from src.tracking.store import Store

#: Tag of a run that was begun once before, beside others on its GPU: the error with which it ran out of memory there.
OUT_OF_MEMORY_TAG = "fitgap.out_of_memory"

#: Longest wait of a trial for the ends of its seeds' runs.
_SEEDS_SECONDS = 30.0


class SeedRecorder:
    """The run of a trial that is trained with several seeds: their mean, above the runs of the seeds themselves."""

    def __init__(self, store: Store, parent_run_id: str, name: str, arm: str, ask: Ask) -> None:
        """Starts the run."""
        self.store = store
        self.run = start_trial_run(store, parent_run_id, name, arm, ask.number, ask.values)

    @property
    def run_id(self) -> str:
        """The run under which those of the seeds appear."""
        return self.run.run_id

    def finish(self, mean: Outcome, seed_run_ids: Sequence[str] = ()) -> None:
        """Records the mean of the seeds, epoch by epoch where they have epochs, and closes the run.

        A store that is away, or has not got all seeds in time, costs the epochs' means alone: hours of training must
        not fail for a few curves, and a mean over some of the seeds would be a wrong one.

        Args:
            mean: The mean, with the number of seeds that it is over.
            seed_run_ids: The runs of the seeds, which other processes may still be delivering.
        """
        epochs: dict[int, dict[str, float]] = {}
        with suppress(TrackingError):
            check_reachable(self.store.uri)
            deadline = time.monotonic() + _SEEDS_SECONDS
            for run_id in seed_run_ids:
                await_end(self.store, run_id, deadline - time.monotonic())
            epochs = average_epochs(self.store, self.run_id, mean.metrics.get("num_seeds", 0))
        for epoch, metrics in epochs.items():
            self.run.log_metrics(metrics, step=epoch)
        # What belongs to an epoch has been logged with it.
        told = set(next(iter(epochs.values()), {}))
        metrics = {key: value for key, value in mean.metrics.items() if key not in told}
        finish_trial_run(self.run, mean.state, mean.error, metrics)


def start_trial_run(
    store: Store, parent_run_id: str, name: str, arm: str, number: int, values: Mapping[str, Any]
) -> TrackedRun:
    """Starts the run of a trial under the sweep's parent run."""
    tags = {"fitgap.kind": "trial", "fitgap.state": "running", "fitgap.arm": arm, "fitgap.trial_number": str(number)}
    run = start_run(store, name=name, tags=tags, parent_run_id=parent_run_id, defer=True)
    run.log_params(values)
    return run


def finish_trial_run(
    run: TrackedRun, state: str, error: str | None, metrics: Mapping[str, float], *, step: int = 0
) -> None:
    """Closes the run of a trial in the state in which the trial ended; `step` is the last one that it reported."""
    run.log_metrics(metrics, step=step)
    run.set_tags({"fitgap.state": state, **({"fitgap.error": error} if error else {})})
    run.finish(STATUSES[state])


def record_trial(
    store: Store, parent_run_id: str, name: str, arm: str, view: TrialView, objective: str, *, run_id: str | None = None
) -> str:
    """Records a trial, which is over, of an application that records no runs; returns the run's id.

    Args:
        store: Where to record it.
        parent_run_id: The sweep's parent run.
        name: Name of the run.
        arm: Name of the trial's arm.
        view: The trial.
        objective: What its reports are called.
        run_id: The trial's run, where a process that was killed has begun it; it is closed once more.
    """
    if run_id is None:
        run = start_trial_run(store, parent_run_id, name, arm, view.number, view.values)
    else:
        run = resume_run(store, run_id)
        run.log_params(view.values)
    for step, value in sorted(view.intermediate.items()):
        run.log_metrics({objective: value}, step=step)
    if view.error:
        # Of a process that died there is no traceback, but what it had printed last.
        run.log_text(view.traceback or view.error, "traceback.txt")
    if view.out_of_memory:
        run.set_tags({OUT_OF_MEMORY_TAG: view.out_of_memory})
    # MLflow shows the value of the highest step: what the trial came to, and not what it reported before.
    last_step = max(view.intermediate, default=0)
    reported = view.intermediate.get(last_step)
    # What it reported last is there already, and would be a second point of its curve.
    metrics = {key: value for key, value in view.metrics.items() if key != objective or value != reported}
    finish_trial_run(run, view.state, view.error, metrics, step=last_step)
    return run.run_id


def close_dead_run(store: Store, run_id: str, state: str, error: str) -> None:
    """Closes a run whose process died before it could do so, in the state that says why.

    Raises:
        TrackingError: The store does not answer, or does not have the run.
    """
    # The trial was begun although the store might be away: so can its end be recorded.
    run = resume_run(store, run_id, defer=True)
    run.set_tags({"fitgap.state": state, "fitgap.error": error})
    run.log_text(error, "traceback.txt")
    run.finish(STATUSES[state])


def average_epochs(store: Store, parent_run_id: str, num_runs: float) -> dict[int, dict[str, float]]:
    """Returns the means over the complete runs below a run, by epoch, for the epochs that all of them have.

    There are none unless the store has as many complete runs as there are to be, each to its end.
    """
    histories = [
        {epoch.epoch: epoch.metrics() for epoch in record.history.epochs}
        for record in load_children(store, parent_run_id)
        if record.tags.get("fitgap.state") == COMPLETE and record.status == STATUSES[COMPLETE]
    ]
    if not histories or len(histories) != num_runs:
        return {}
    shared = set.intersection(*(set(history) for history in histories))
    return {
        epoch: {key: sum(history[epoch][key] for history in histories) / len(histories) for key in histories[0][epoch]}
        for epoch in sorted(shared)
    }
