"""The terminal that is closed while a shift waits or writes its records: that ends it as SIGTERM does."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ending_on_hangup() -> Iterator[None]:
    """Has SIGHUP do what SIGTERM does, for the time of the block: by itself it ends a process without a word.

    Where it is ignored, as `nohup` asks for, it stays so.
    """
    before = signal.getsignal(signal.SIGHUP)
    if before == signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
