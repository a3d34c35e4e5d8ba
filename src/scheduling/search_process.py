"""The process of a search: started, ended in time, told of signals, and waited for until it has closed its books."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

from src.clock import local_now, seconds_between
from src.config.paths import PROJECT_ROOT
from src.scheduling.units import STOP_SECONDS

#: How often it is looked whether the time is over: the clock may have been set meanwhile.
_POLL_SECONDS = 5.0


@dataclass(frozen=True)
class Ended:
    """How a search ended.

    Attributes:
        exit_code: Its exit code; negative is the signal that ended it.
        signal: The signal that this process was sent and passed on; None where there was none.
        out_of_time: Whether it was ended since its time was over.
        killed: Whether it was told so and did not end, and was killed.
    """

    exit_code: int
    signal: int | None
    out_of_time: bool
    killed: bool = False


def search_command(name: str, overrides: Sequence[str]) -> list[str]:
    """Returns the command that runs a sweep of `sweeps/`."""
    return [sys.executable, "-m", "src.train", "-m", f"sweeps={name}", *overrides]


def run_search(
    command: Sequence[str],
    log: Path,
    until: datetime | None,
    descriptors: Sequence[int],
    begun: Callable[[int], None],
    *,
    stop_seconds: float = STOP_SECONDS,
) -> Ended:
    """Runs a search to its end.

    At `until` it is sent SIGTERM, which ends what runs, to be run again next time, and closes its books; what has not
    done so for long is killed with all its children. The signals that this process gets are passed on to it and do
    nothing else: whoever sends them waits until it has ended.

    Args:
        command: The command.
        log: File that takes what it prints.
        until: When its time is over.
        descriptors: Open files that it inherits, and with them the locks on these.
        begun: Called with its process id.
        stop_seconds: Time that it gets to end once it is told to.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with _passing_on_signals() as relay:
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=PROJECT_ROOT,
                env=_find_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=tuple(descriptors),
                # Ctrl-C on a terminal would reach it twice, and twice means at once.
                start_new_session=True,
            )
        try:
            relay.attach(process)
            begun(process.pid)
            out_of_time = _wait_until(process, until)
            killed = out_of_time and _end(process, stop_seconds)
        except BaseException:
            # Nobody would end it in time any more, nor pass signals on to it.
            _end(process, stop_seconds)
            raise
    return Ended(process.returncode, relay.received[-1] if relay.received else None, out_of_time, killed)


def _find_environment() -> dict[str, str]:
    # This process has set the variable for itself: of a search it would ask for tracebacks instead of messages.
    inherited = {key: value for key, value in os.environ.items() if key != "HYDRA_FULL_ERROR"}
    # At night nobody can start a tracking server that is away.
    return {"FITGAP_OFFLINE": "continue", **inherited, "PYTHONUNBUFFERED": "1"}


def _wait_until(process: subprocess.Popen[bytes], until: datetime | None) -> bool:
    """Waits for the end of a process, and returns whether its time was over before."""
    while True:
        left = _POLL_SECONDS if until is None else seconds_between(local_now(), until)
        if left <= 0:
            return process.poll() is None
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(left, _POLL_SECONDS))
            return False


def _end(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Tells a process to end, waits until it has, and returns whether it had to be killed."""
    process.terminate()
    try:
        process.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        # It leads a session of its own, and in it a group of that number.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True


class _Relay:
    """Passes signals on to a process; those that come before it is there, as soon as it is."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None

    def attach(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        for number in tuple(self.received):
            self._pass_on(process, number)

    def receive(self, number: int, frame: FrameType | None) -> None:
        self.received.append(number)
        # Once it has been waited for, another process may have its number: then nothing is sent.
        if self._process is not None:
            self._pass_on(self._process, number)

    def _pass_on(self, process: subprocess.Popen[bytes], number: int) -> None:
        # A search knows no terminal that could be closed: it would end at once, its books left open.
        process.send_signal(signal.SIGTERM if number == signal.SIGHUP else number)


@contextlib.contextmanager
def _passing_on_signals() -> Iterator[_Relay]:
    relay = _Relay()
    before: dict[int, Any] = {
        number: signal.signal(number, relay.receive)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        # `nohup` has one of them ignored.
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield relay
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
