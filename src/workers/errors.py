"""How a job can end without having anything to say: its process died, or was killed because its time was over."""

from __future__ import annotations

import signal

from src.errors import FitgapError


class WorkerDiedError(FitgapError):
    """A job's process ended before the job did.

    Attributes:
        pid: The process.
        exitcode: Its exit code, negative for a signal; None where it was ended on purpose.
        out_of_memory: Whether there are signs that it was for want of memory.
    """

    def __init__(self, pid: int | None, exitcode: int | None, tail: str, *, out_of_memory: bool = False) -> None:
        """Takes what is known of the end, and the last lines that the job printed."""
        self.pid = pid
        self.exitcode = exitcode
        self.out_of_memory = out_of_memory
        cause = "; memory had run out" if out_of_memory else ""
        printed = f" It last printed:\n{tail}" if tail else ""
        super().__init__(f"The worker process {pid} {describe_exit(exitcode)}{cause}.{printed}")


class JobTimeoutError(FitgapError):
    """A job was killed because it took too long, and did not end by itself when it was asked to."""


def describe_exit(exitcode: int | None) -> str:
    """Returns how a process ended, in words: `was killed by SIGKILL`, `ended with exit code 3`."""
    if exitcode is None:
        return "was ended"
    if exitcode >= 0:
        return f"ended with exit code {exitcode}"
    try:
        return f"was killed by {signal.Signals(-exitcode).name}"
    except ValueError:
        return f"was killed by signal {-exitcode}"
