"""Deliveries that go on in this process after their runs have ended, behind the runs that follow."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable

from src.tracking.courier import Courier, wait_for

#: Ended runs that may be under way at once; the end of another one waits for the first of them.
_MAX_UNDER_WAY = 4
#: Longest wait for it.
_TURN_SECONDS = 30.0
#: Longest wait at the end of the process; what is left by then stays in the outbox.
_EXIT_SECONDS = 30.0

_guard = threading.Lock()
_couriers: list[Courier] = []
_exited = False


def leave_to(courier: Courier) -> None:
    """Leaves the delivery of an ended run to its courier.

    Returns at once unless the store is slower than the runs: then it waits for its turn. A store that is away is not
    waited for.
    """
    courier.hurry()
    with _guard:
        _couriers[:] = [each for each in _couriers if not each.closed]
        _couriers.append(courier)
        under_way = [each for each in _couriers if each.reason is None]
    if len(under_way) > _MAX_UNDER_WAY:
        wait_for(under_way[:1], _TURN_SECONDS)


def await_deliveries(timeout_seconds: float) -> bool:
    """Waits until all runs that have ended in this process are delivered.

    Args:
        timeout_seconds: Longest time to wait; a store that does not answer is given up after a few seconds.

    Returns:
        Whether all are.
    """
    with _guard:
        left = [each for each in _couriers if not each.closed]
    wait_for(left, timeout_seconds)
    return all(each.closed for each in left)


def _finish() -> None:
    """Waits at the end of the process, once."""
    global _exited
    if not _exited:
        _exited = True
        await_deliveries(_EXIT_SECONDS)


def _forget() -> None:
    """Leaves the deliveries to the process that this one was forked from: the threads are there."""
    global _guard
    _guard = threading.Lock()
    _couriers.clear()


os.register_at_fork(after_in_child=_forget)
# MLflow sends files to some stores from a pool of threads, and pools take no work any more by the time at which
# `atexit` calls. The other hook, which Python keeps to itself, comes before; `atexit` is for processes that call its
# functions and leave.
_register: Callable[[Callable[[], None]], object] = getattr(threading, "_register_atexit", atexit.register)
_register(_finish)
atexit.register(_finish)
