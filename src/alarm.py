"""The alarm clock of a trial: raises `TrialTimeoutError` in the main thread when the time is up."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from src.errors import TrialTimeoutError


class _Alarm:
    """The process's one alarm: set, and then either silenced or rung."""

    def __init__(self) -> None:
        self.seconds: float | None = None
        self.armed = False
        self.rung = False

    def ring(self, number: int, frame: FrameType | None) -> None:
        if self.armed:
            self.armed, self.rung = False, True
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
    _alarm.seconds, _alarm.rung, _alarm.armed = seconds, False, True
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
        _alarm.rung = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if delay:
            # The time of whoever had set the timer before has gone on; what is over by now is due at once.
            signal.setitimer(signal.ITIMER_REAL, max(delay - (time.monotonic() - started), 1e-3), interval)


def silence_alarm() -> None:
    """Lets the alarm that is set not ring any more, for work that must be done to its end; does no harm without one."""
    _alarm.armed = False


def has_rung() -> bool:
    """Returns whether the time of the block that is running was up, so that an error may be due to that."""
    return _alarm.rung


def check_alarm() -> None:
    """Raises the alarm's error again where it has rung, but something has swallowed it.

    Raises:
        TrialTimeoutError: The time was up.
    """
    if _alarm.rung:
        raise _alarm.error()
