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
        impatient: Whether somebody has asked, or asked once more, since the last trial ended.
    """

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.requests = 0
        self.impatient = False
        self._inline = False
        self._settled = False
        self._gives_way = False
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
            inline: Whether trials run in this thread: only an exception can end one of them, until `settle`.
        """
        self._inline = inline
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int, frame: FrameType | None) -> None:
            # A batch system or a shutdown that asks does not ask twice, and does not wait for hours.
            self.requests = AT_ONCE if number == signal.SIGTERM else self.requests + 1
            self._last = (number, frame)
            self.impatient = self._settled
            if self._gives_way or (self._inline and self.at_once and not self._settled):
                raise KeyboardInterrupt

        for caught in (signal.SIGINT, signal.SIGTERM):
            self._previous[caught] = signal.signal(caught, handle)
        try:
            yield
        finally:
            for number, handler in self._previous.items():
                signal.signal(number, handler)

    def settle(self) -> None:
        """Says that no trial runs any more: what is left is done to its end, and no signal raises anything."""
        self._settled = True

    @contextmanager
    def giving_way(self) -> Iterator[None]:
        """Lets a signal end the block at once: it takes long, changes nothing, and can be done without.

        Raises:
            KeyboardInterrupt: There was a signal, within the block or since `settle`.
        """
        self._gives_way = True
        try:
            if self.impatient:
                raise KeyboardInterrupt
            yield
        finally:
            self._gives_way = False

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
