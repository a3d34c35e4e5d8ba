"""Ctrl-C and SIGTERM during a search: counted instead of raised, so that nothing is left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

#: How often the user has to ask before running trials are ended as well.
AT_ONCE = 2


class Interruption:
    """How urgently the user wants the search to end.

    Attributes:
        requests: 0 not at all, 1 after the running trials, 2 at once.
    """

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.requests = 0
        self._last: tuple[int, Any] | None = None
        self._previous: dict[int, Any] = {}

    @property
    def at_once(self) -> bool:
        """Whether running trials are to be ended too."""
        return self.requests >= AT_ONCE

    @contextmanager
    def listen(self, *, inline: bool) -> Iterator[None]:
        """Counts signals for the time of the block; afterwards they do again what they did before.

        Args:
            inline: Whether trials run in this thread: only an exception can end one of them.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int, frame: FrameType | None) -> None:
            # A batch system or a shutdown that asks does not ask twice, and does not wait for hours.
            self.requests = AT_ONCE if number == signal.SIGTERM else self.requests + 1
            self._last = (number, frame)
            if inline and self.at_once:
                raise KeyboardInterrupt

        for caught in (signal.SIGINT, signal.SIGTERM):
            self._previous[caught] = signal.signal(caught, handle)
        try:
            yield
        finally:
            for number, handler in self._previous.items():
                signal.signal(number, handler)

    def pass_on(self) -> None:
        """Does with the last signal what would have been done with it before; nothing if there was none.

        Raises:
            KeyboardInterrupt: There was one, and this is what its handler does.
        """
        if self._last is None:
            return
        number, frame = self._last
        handler = self._previous.get(number)
        if callable(handler):
            handler(number, frame)
        raise KeyboardInterrupt
