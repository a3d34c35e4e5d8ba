"""The background thread that delivers a run's journal while the run goes on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from src.tracking.address import show_uri
from src.tracking.delivery import AwayError, Deliverer
from src.tracking.journal import Journal

#: Seconds to collect records in, so that an epoch's metrics, params and tags travel together.
_LINGER_SECONDS = 0.2
_FIRST_PAUSE_SECONDS = 0.5
_LAST_PAUSE_SECONDS = 15.0
_POLL_SECONDS = 0.05
#: Seconds for which a wait goes on hoping once the store has failed, unless it had failed before.
_PATIENCE_SECONDS = 5.0

_log = logging.getLogger(__name__)


class Courier:
    """Delivers one journal from a thread of its own, with pauses that grow while the store is away.

    The thread is a daemon: it never keeps a process alive, and what it has not delivered stays in the journal.
    """

    def __init__(self, journal: Journal) -> None:
        """Starts the thread; what the journal already holds is delivered first."""
        self.reason: str | None = None
        self._journal = journal
        self._deliverer = Deliverer(journal)
        self._work = threading.Event()
        if journal.pending(1):
            self._work.set()
        self._hurry = threading.Event()
        self._done = threading.Event()
        self._failed_at = 0.0
        self._thread = threading.Thread(target=self._run, name="fitgap-courier", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether the thread has ended, because nothing is left that it could deliver."""
        return self._done.is_set()

    def wake(self) -> None:
        """Says that there is something to deliver; returns at once."""
        self._work.set()

    def hurry(self) -> None:
        """Asks for the delivery without delay; returns at once."""
        self._hurry.set()
        self._work.set()

    def wait(self, timeout_seconds: float) -> None:
        """Waits until a finished journal is delivered, the time is up, or the store turns out to be away."""
        wait_for([self], timeout_seconds)

    def flush(self, timeout_seconds: float) -> None:
        """Waits until nothing waits to be delivered, the time is up, or the store turns out to be away."""
        asked, failing = time.monotonic(), self.reason is not None
        self.hurry()
        while self._journal.pending(1) and not self._done.wait(_POLL_SECONDS):
            passed = time.monotonic() - asked
            if passed > timeout_seconds or (self.failed_since(asked) and (failing or passed > _PATIENCE_SECONDS)):
                break
        self.relax()

    def join(self, timeout_seconds: float) -> bool:
        """Waits for the end of the thread and returns whether it has come; asks for nothing."""
        return self._done.wait(timeout_seconds)

    def relax(self) -> None:
        """Makes pauses again while the store is away."""
        self._hurry.clear()

    def failed_since(self, moment: float) -> bool:
        """Whether an attempt has failed since a moment of the monotonic clock."""
        return self._failed_at > moment

    def _run(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._done.is_set():
            self._work.wait()
            if not self._hurry.is_set():
                time.sleep(_LINGER_SECONDS)
            self._work.clear()
            try:
                while self._deliverer.deliver_next():
                    self._report(None)
            except Exception as error:
                if not isinstance(error, AwayError) and self.reason is None:
                    _log.exception("Delivering a run has failed; its records stay in %s.", self._journal.folder)
                self._report(str(error) or type(error).__name__)
                self._work.set()
                if self._hurry.is_set():
                    time.sleep(_FIRST_PAUSE_SECONDS)
                else:
                    self._hurry.wait(pause)
                pause = min(2 * pause, _LAST_PAUSE_SECONDS)
                continue
            pause = _FIRST_PAUSE_SECONDS
            self._close_if_finished()

    def _close_if_finished(self) -> None:
        if not self._journal.finished or self._journal.pending(1):
            return
        refusals = self._journal.refusals()
        if refusals:
            self.reason = refusals[0]
            self._journal.close()
        else:
            self._journal.remove()
        self._done.set()

    def _report(self, reason: str | None) -> None:
        where = show_uri(str(self._journal.header["uri"]))
        if reason and not self.reason:
            _log.warning(
                "The tracking store at %s takes nothing at present (%s). The run goes on; what it logs is kept in %s "
                "and delivered when the store is back.", where, reason, self._journal.folder,
            )  # fmt: skip
        elif self.reason and not reason:
            _log.info("The tracking store at %s is back.", where)
        if reason:
            self._failed_at = time.monotonic()
        self.reason = reason


def wait_for(couriers: Sequence[Courier], timeout_seconds: float) -> None:
    """Waits until finished journals are delivered, the time is up, or the store turns out to be away.

    It is away if an attempt at each of those that are left has failed, for a few seconds where it was not away before.
    """
    asked = time.monotonic()
    failing = {courier for courier in couriers if courier.reason is not None}
    for courier in couriers:
        courier.hurry()
    for courier in couriers:
        while not courier.join(_POLL_SECONDS):
            now = time.monotonic()
            left = [each for each in couriers if not each.closed]
            failed = all(each.failed_since(asked) for each in left)
            hopeless = failed and (now - asked > _PATIENCE_SECONDS or failing.issuperset(left))
            if hopeless or now - asked > timeout_seconds:
                for each in left:
                    each.relax()
                return
