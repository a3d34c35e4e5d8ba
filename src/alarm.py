"""The alarm clock of a trial: raises `TrialTimeoutError` in the main thread when the time is up."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from src.errors import TrialTimeoutError

#: How much longer than its time a block may take that looks at the clock itself; the parent kills it after thirty.
GRACE_SECONDS = 10.0


class _Alarm:
    """The process's one alarm: set, and then either silenced or rung."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.armed = False
        self.deferred = False
        self.overdue = False
        self.rung = False

    def set(self, seconds: float) -> None:
        self.seconds = seconds
        self.armed, self.deferred, self.overdue, self.rung = True, False, False, False

    def ring(self, number: int, frame: FrameType | None) -> None:
        if self.armed and self.deferred and not self.overdue:
            self.overdue = True
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
        elif self.armed:
            self.shout()

    def shout(self) -> None:
        self.armed, self.overdue, self.rung = False, True, True
        raise self.error()

    def error(self) -> TrialTimeoutError:
        return TrialTimeoutError(
            f"The trial took longer than {self.seconds:g} s and was stopped. Give each trial more time with "
            "hydra.sweeper.trial_timeout=…, or less to do."
        )


_alarm = _Alarm()


@contextmanager
def limit_time(seconds: float | None) -> Iterator[None]:
    """Lets a block take only so long; without a limit, or outside of the main thread, as long as it wants.

    Python interrupts only its main thread, and there not within a call into a library: the error comes when that
    returns. Signal handler and timer are afterwards what they were before.

    Raises:
        TrialTimeoutError: The time was up, whatever became of the error on its way through other people's code.
    """
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    _alarm.set(seconds)
    started = time.monotonic()
    handler = signal.signal(signal.SIGALRM, _alarm.ring)
    delay, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        try:
            yield
        finally:
            silence_alarm()
    except Exception as error:
        if _alarm.rung and not isinstance(error, TrialTimeoutError):
            raise _alarm.error() from error
        raise
    finally:
        _alarm.rung = _alarm.overdue = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if delay:
            # The time of whoever had set the timer before has gone on; what is over by now is due at once.
            signal.setitimer(signal.ITIMER_REAL, max(delay - (time.monotonic() - started), 1e-3), interval)


def defer_alarm() -> None:
    """Promises that the block calls `check_alarm` again and again, so that the alarm is raised there.

    An error that comes out of nowhere may break a library for good: TensorFlow takes every later tensor of the process
    for a symbol if it is interrupted while it builds a graph. If the promise is not kept for `GRACE_SECONDS` after the
    time was up, the alarm is raised wherever the block is then.
    """
    _alarm.deferred = True


def check_alarm() -> None:
    """Raises the alarm's error where the time is up, also if it was raised before, but something has swallowed it.

    Raises:
        TrialTimeoutError: The time is up.
    """
    if _alarm.overdue:
        _alarm.shout()


def silence_alarm() -> None:
    """Lets the alarm that is set not ring any more, for work that must be done to its end; does no harm without one."""
    _alarm.armed = _alarm.overdue = False


def has_rung() -> bool:
    """Returns whether the alarm of the block that is running was raised, so that an error may be due to that."""
    return _alarm.rung
