"""A trial as any launcher can run it: the application's task function, whose end becomes plain data."""

from __future__ import annotations

import functools
import logging
import math
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from src.alarm import limit_time
from src.ending import COMPLETE, DIVERGED, INTERRUPTED, OOM, PRUNED, TIMEOUT, describe_exception, name_state
from src.study.outcome import Outcome
from src.study.reporting import CurrentTrial, begin_trial
from src.study.result import read_metrics
from src.study.ticket import TICKET_VARIABLE, Ticket

#: Longest time to wait for a sign of life that is on its way when the trial is over.
_LAST_BEAT_SECONDS = 10.0

_log = logging.getLogger(__name__)


class TrialTask:
    """A task function that is told of its trial by a ticket, raises nothing, and returns an `Outcome` as a mapping.

    Without a ticket it is the task function itself. The function's attributes are kept, and so is its being picklable.
    """

    def __init__(self, task_function: Callable[[Any], Any]) -> None:
        """Takes the application's task function."""
        functools.update_wrapper(self, task_function)
        self.task_function = task_function

    def __call__(self, config: Any) -> Any:
        """Runs the task as the trial that `FITGAP_TRIAL` names, and leaves its outcome beside the ticket as well."""
        place = os.environ.get(TICKET_VARIABLE)
        if not place:
            return self.task_function(config)
        started = time.perf_counter()
        try:
            ticket = Ticket.read(Path(place))
        except Exception as error:
            return _fail(error, started).to_dict()
        with begin_trial(ticket) as trial:
            outcome = self._run(config, trial, started)
        try:
            # A parent that was killed meanwhile finds it when it is started again.
            outcome.write(Path(ticket.outcome))
        except OSError as error:
            _log.warning("The outcome of trial %d cannot be written: %s", ticket.number, error)
        # What was broken off in the middle of a library, or for want of memory, may have left the process unsound.
        return {**outcome.to_dict(), "new_process": outcome.state in (TIMEOUT, OOM, INTERRUPTED)}

    def _run(self, config: Any, trial: CurrentTrial, started: float) -> Outcome:
        try:
            with _beating(trial), limit_time(trial.ticket.timeout_seconds):
                result = self.task_function(config)
            return _judge(result, trial, started)
        except BaseException as error:
            # Also SystemExit and KeyboardInterrupt, which would end a worker process and with it what it could tell.
            if name_state(error) == PRUNED:
                return Outcome(PRUNED, _last_metrics(trial), run_id=trial.run_id, seconds=_since(started))
            return _fail(error, started, trial.run_id)


def _judge(result: Any, trial: CurrentTrial, started: float) -> Outcome:
    objectives = trial.ticket.objectives
    if trial.pruned:
        # A function that was told to stop may have nothing to return.
        metrics = _last_metrics(trial) if result is None else _last_metrics(trial) | read_metrics(result, objectives)
        return Outcome(PRUNED, metrics, run_id=trial.run_id, seconds=_since(started))
    metrics = read_metrics(result, objectives)
    broken = [f"{name} is {metrics[name]}" for name in objectives if not math.isfinite(metrics.get(name, 0.0))]
    state, error = (DIVERGED, f"The objective {' and '.join(broken)}.") if broken else (COMPLETE, None)
    return Outcome(state, metrics, error, run_id=trial.run_id, seconds=_since(started))


def _last_metrics(trial: CurrentTrial) -> dict[str, float]:
    return {} if trial.last_value is None else {trial.ticket.objectives[0]: trial.last_value}


def _fail(error: BaseException, started: float, run_id: str | None = None) -> Outcome:
    return Outcome(
        state=name_state(error),
        metrics={},
        error=describe_exception(error),
        traceback="".join(traceback.format_exception(error)),
        run_id=run_id,
        seconds=_since(started),
    )


def _since(started: float) -> float:
    return time.perf_counter() - started


@contextmanager
def _beating(trial: CurrentTrial) -> Iterator[None]:
    """Gives signs of life in the background; the parent has given the first."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(trial.ticket.heartbeat_seconds):
            trial.beat()

    thread = threading.Thread(target=beat, name="fitgap-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        # A storage that hangs must not hold up the job.
        thread.join(_LAST_BEAT_SECONDS)
