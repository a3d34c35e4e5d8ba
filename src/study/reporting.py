"""A job's own side of its trial: two calls for any Hydra application, which do nothing outside of a search.

After each epoch a training calls `report(accuracy, step=epoch)`, and ends where `should_stop()` is then true.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from src.alarm import check_alarm
from src.errors import TrialTimeoutError
from src.study import attributes
from src.study.ticket import Ticket

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

#: After a storage has not answered it is left alone for this many times as long as it was waited for: a database that
#: is locked takes a minute to say so, and must not cost a trial more than a tenth of its time.
_REST = 10

_log = logging.getLogger(__name__)


class CurrentTrial:
    """The trial that this process is working on.

    Nothing here fails because of the storage: what it does not take is left out, with one warning, and as long as it
    does not answer nothing is pruned. What becomes of the trial in the end is told by its parent.

    Attributes:
        ticket: What the job was told of it.
        pruned: Whether it was told to stop; it then counts as pruned, whatever it still does.
        run_id: Its run in the tracking store, once the application has named one.
        last_value: What was last reported of it.
    """

    def __init__(self, ticket: Ticket) -> None:
        """Takes the ticket; the storage is opened when it is first needed."""
        self.ticket = ticket
        self.pruned = False
        self.run_id: str | None = None
        self.last_value: float | None = None
        self._given_up = False
        self._warned = False
        self._rests_until = 0.0
        self._opening = threading.Lock()
        self._storage: BaseStorage | None = None
        self._study: Study | None = None

    def report(self, value: float, step: int) -> None:
        """Reports the objective's value at a step, once for each step; NaN is ignored, as is all where nothing counts.

        Of several objectives, and of one training of several that a trial takes the mean of, no report counts.
        """
        number = float(value)
        if not self._counts() or math.isnan(number):
            return
        self.last_value = number
        self._try(lambda storage, trial_id: storage.set_trial_intermediate_value(trial_id, int(step), number))

    def recall(self, values: Mapping[int, float]) -> None:
        """Reports what an earlier attempt had come to, by step, before the trial goes on from there.

        The pruner looks at each step, since some note what they have seen; it let the trial pass then, and does now.
        """
        for step, value in values.items():
            self.report(value, step)
            if self._counts() and self.ticket.pruner != "none":
                self._try(self._ask_pruner)
        self.pruned = False

    def should_stop(self) -> bool:
        """Returns whether the trial shall end here: it promises too little, or its parent has given it up.

        Raises:
            TrialTimeoutError: Its time is up, and whoever was told before has not passed it on.
        """
        check_alarm()
        if not self.pruned and self._counts() and not self._given_up and self.ticket.pruner != "none":
            self._try(self._ask_pruner)
        self.pruned = self.pruned or self._given_up
        return self.pruned

    def is_beaten(self, value: float, rivals: int) -> bool:
        """Returns whether so many complete trials of the study are at least as good as this value, and keep the bounds.

        More trials can only add to them, so that what is beaten once stays beaten. Of several objectives, of one
        training of several, and where the storage does not answer, nothing is known to be beaten.
        """
        beaten = False

        def ask(storage: BaseStorage, trial_id: int) -> None:
            nonlocal beaten
            from src.study.view import count_as_good

            beaten = count_as_good(self._load_study(storage), value) >= rivals

        if self._counts():
            self._try(ask)
        return beaten

    def attach_run(self, run_id: str) -> None:
        """Names the trial's run in the tracking store."""
        self.run_id = run_id
        self._try(lambda storage, trial_id: storage.set_trial_user_attr(trial_id, attributes.RUN_ID, run_id))

    def beat(self) -> None:
        """Gives a sign of life; where that fails, the next one may do."""
        with suppress(Exception):
            # Only Optuna's databases know signs of life.
            record = getattr(self._open_storage(), "record_heartbeat", None)
            if record is not None and self.ticket.trial_id is not None:
                record(self.ticket.trial_id)

    def close(self) -> None:
        """Closes the connections to the storage."""
        storage, self._storage, self._study = self._storage, None, None
        if storage is not None:
            from src.study.storage import close_storage

            with suppress(Exception):
                close_storage(storage)

    def _counts(self) -> bool:
        return self.ticket.reports and self.ticket.trial_id is not None and len(self.ticket.objectives) == 1

    def _ask_pruner(self, storage: BaseStorage, trial_id: int) -> None:
        study = self._load_study(storage)
        self.pruned = study.pruner.prune(study, storage.get_trial(trial_id))

    def _open_storage(self) -> BaseStorage:
        # The heartbeat may be first.
        with self._opening:
            if self._storage is None:
                from src.study.storage import open_storage

                self._storage = open_storage(self.ticket.storage)
            return self._storage

    def _load_study(self, storage: BaseStorage) -> Study:
        if self._study is None:
            import optuna

            from src.study.pruners import build_pruner

            self._study = optuna.load_study(
                study_name=self.ticket.study_name,
                storage=storage,
                # It samples nothing here, and is the one that costs nothing.
                sampler=optuna.samplers.RandomSampler(),
                pruner=build_pruner(self.ticket.pruner, self.ticket.pruner_kwargs),
            )
        return self._study

    def _try(self, action: Callable[[BaseStorage, int], None]) -> None:
        trial_id = self.ticket.trial_id
        if trial_id is None:
            return
        started = time.monotonic()
        if started < self._rests_until:
            return
        from optuna.exceptions import UpdateFinishedTrialError

        from src.study.storage import explained

        try:
            storage = self._open_storage()
            with explained(self.ticket.storage):
                action(storage, trial_id)
        except UpdateFinishedTrialError:
            self._given_up = True
        except TrialTimeoutError:
            raise
        except Exception as error:
            self._rests_until = time.monotonic() + _REST * (time.monotonic() - started)
            if not self._warned:
                self._warned = True
                _log.warning(
                    "Trial %d of study %s goes on, but nothing can be reported of it and nothing is pruned until its "
                    "storage answers: %s",
                    self.ticket.number,
                    self.ticket.study_name,
                    error,
                )


_current: CurrentTrial | None = None


def current_trial() -> CurrentTrial | None:
    """Returns the trial that this process is working on; None outside of a search."""
    return _current


@contextmanager
def begin_trial(ticket: Ticket) -> Iterator[CurrentTrial]:
    """Makes a trial the one that this process is working on, for the time of a block."""
    global _current
    _current = trial = CurrentTrial(ticket)
    try:
        yield trial
    finally:
        _current = None
        trial.close()


def report(value: float, step: int) -> None:
    """Reports the objective's value at a step of the training, so that the trial can be pruned.

    Does nothing outside of a search, or where reports do not count; NaN is ignored, and so is a storage that is away.

    Args:
        value: What the objective would be if the training ended here.
        step: Number of the step, such as the epoch; trials are compared at equal steps.
    """
    if _current is not None:
        _current.report(value, step)


def should_stop() -> bool:
    """Returns whether the training shall end here; False outside of a search.

    Once it was True the trial counts as pruned, with whatever the task function then returns.
    """
    return _current is not None and _current.should_stop()
