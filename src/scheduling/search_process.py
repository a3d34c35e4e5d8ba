"""The process of a search: started, ended in time, told of signals, and waited for until it has closed its books."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

from src.config.paths import PROJECT_ROOT

#: How often it is looked whether the time is over: the clock may have been set meanwhile.
_POLL_SECONDS = 5.0


@dataclass(frozen=True)
class Ended:
    """How a search ended.

    Attributes:
        exit_code: Its exit code; negative is the signal that ended it.
        signal: The signal that this process was sent and passed on; None where there was none.
        out_of_time: Whether it was ended since its time was over.
    """

    exit_code: int
    signal: int | None
    out_of_time: bool


def search_command(name: str, overrides: Sequence[str]) -> list[str]:
    """Returns the command that runs a sweep of `sweeps/`."""
    return [sys.executable, "-m", "src.train", "-m", f"sweeps={name}", *overrides]


def run_search(
    command: Sequence[str], log: Path, until: datetime | None, descriptors: Sequence[int], begun: Callable[[int], None]
) -> Ended:
    """Runs a search to its end.

    At `until` it is sent SIGTERM, which ends what runs, to be run again next time, and closes its books. The signals
    that this process gets are passed on to it and do nothing else: whoever sends them waits until it has ended.

    Args:
        command: The command.
        log: File that takes what it prints.
        until: When its time is over.
        descriptors: Open files that it inherits, and with them the locks on these.
        begun: Called with its process id.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with _passing_on_signals() as relay:
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=PROJECT_ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=tuple(descriptors),
                # Ctrl-C on a terminal would reach it twice, and twice means at once.
                start_new_session=True,
            )
        relay.attach(process)
        begun(process.pid)
        out_of_time = _wait(process, until)
    return Ended(process.returncode, relay.received[-1] if relay.received else None, out_of_time)


def _wait(process: subprocess.Popen[bytes], until: datetime | None) -> bool:
    out_of_time = False
    while True:
        left = _POLL_SECONDS if until is None else (until - datetime.now(until.tzinfo)).total_seconds()
        if left <= 0 and not out_of_time:
            out_of_time = True
            process.terminate()
        try:
            process.wait(_POLL_SECONDS if out_of_time else max(0.0, min(left, _POLL_SECONDS)))
        except subprocess.TimeoutExpired:
            continue
        return out_of_time


class _Relay:
    """Passes signals on to a process; those that come before it is there, as soon as it is."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None

    def attach(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        for number in tuple(self.received):
            process.send_signal(number)

    def receive(self, number: int, frame: FrameType | None) -> None:
        self.received.append(number)
        # Once it has been waited for, another process may have its number: then nothing is sent.
        if self._process is not None:
            self._process.send_signal(number)


@contextmanager
def _passing_on_signals() -> Iterator[_Relay]:
    relay = _Relay()
    before: dict[int, Any] = {
        number: signal.signal(number, relay.receive) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield relay
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
