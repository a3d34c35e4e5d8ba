"""How a job can end without coming to its own end: its process died, its time was over, or it cannot be sent back."""

from __future__ import annotations

import signal
from pathlib import Path

from src.errors import FitgapError


class WorkerDiedError(FitgapError):
    """A job's process ended before the job did.

    Attributes:
        pid: The process; None where none was started for the job.
        exitcode: Its exit code, negative for a signal; None where it is not known.
        signal: Number of the signal that killed it; None where none did.
        out_of_memory: Whether there are signs that it was for want of memory.
    """

    def __init__(
        self, message: str, *, pid: int | None = None, exitcode: int | None = None, out_of_memory: bool = False
    ) -> None:
        """Takes the message and what is known of the process."""
        super().__init__(message)
        self.pid = pid
        self.exitcode = exitcode
        self.signal = -exitcode if exitcode is not None and exitcode < 0 else None
        self.out_of_memory = out_of_memory


class JobTimeoutError(FitgapError):
    """A job was killed because it took too long, and did not end by itself when it was asked to.

    Attributes:
        pid: Its process.
        signal: Number of the signal that killed it.
    """

    def __init__(self, message: str, *, pid: int | None = None) -> None:
        """Takes the message and the process."""
        super().__init__(message)
        self.pid = pid
        self.signal = int(signal.SIGKILL)


class JobGivenUpError(FitgapError):
    """A job that waited for its turn is not wanted any more; it has not begun."""


class JobExitError(FitgapError):
    """A job wanted to end its process, by `sys.exit()` or as Ctrl-C does; the process goes on without it."""


class JobResultError(FitgapError):
    """What a job returned cannot be sent from its process to the one that started it."""


class WorkerStartError(FitgapError):
    """A worker process could not be made ready for jobs."""


class JobTraceback(Exception):
    """Stands as cause behind an error that a job raised in its worker process: the traceback that it had there."""

    def __init__(self, text: str) -> None:
        """Takes the formatted traceback."""
        super().__init__(text)

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


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


def quote_output(path: Path | None, tail: str) -> str:
    """Returns the end of an error's message that repeats what was printed last, and where all of it is."""
    if not tail:
        return ""
    return f" It last printed ({path}):\n{tail}"
