"""What every entry point needs around its one function: plain error messages and an exit code."""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

from src.config.messages import COMPOSITION_ERRORS
from src.errors import FitgapError
from src.explanation import describe_error, exit_code
from src.workers.output import flush_output

#: Exit codes of a command that a signal ended, as shells report them: 128 plus the signal's number.
INTERRUPTED, TERMINATED = 130, 143

#: What Hydra writes above the error of a job, followed by all the overrides that the person has just typed.
_HYDRAS_PREFACE = "Error executing job with overrides:"


def run_program(command: Callable[[], object]) -> NoReturn:
    """Runs the function of the main module as `run_command` does, and ends the process.

    All that Python promises for the end of a program is done: threads are waited for, what was registered at exit is
    called, output is written. That the interpreter is then taken apart, which takes a second with TensorFlow in it, is
    spared.

    Raises:
        SystemExit: The output cannot be written, which Python then reports.
        Exception: A defect of ours, with its traceback.
    """
    try:
        run_command(command)
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        _leave(end.code)
    raise AssertionError("A command ends with SystemExit.")


def _leave(code: int) -> NoReturn:
    # As the interpreter does it: Ctrl-C ends the wait for threads, and no more than that.
    with contextlib.suppress(KeyboardInterrupt):
        threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except (OSError, ValueError):
        sys.exit(code)
    flush_output()
    os._exit(code)


def run_command(command: Callable[[], object]) -> None:
    """Runs an entry point's function and exits: 0 when done, else with a message on stderr instead of a traceback.

    Hydra prints and swallows errors on its own unless `HYDRA_FULL_ERROR` is set; it is, for the time of the call, so
    that they arrive here. A user who sets it gets the traceback. SIGTERM, which `kill`, a shutdown and batch systems
    send, ends a command as Ctrl-C does.

    Raises:
        SystemExit: Always, with 0, the error's own exit code, 130 after Ctrl-C, or 143 after SIGTERM.
        Exception: A defect of ours, with its traceback.
    """
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR", "0") not in ("", "0")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    terminated = threading.Event()
    try:
        with _interrupt_on_sigterm(terminated), contextlib.redirect_stderr(_WithoutPreface(sys.stderr)):
            command()
    except KeyboardInterrupt:
        sys.exit(TERMINATED if terminated.is_set() else INTERRUPTED)
    except (FitgapError, OSError, ValueError, AssertionError, *COMPOSITION_ERRORS) as error:
        known = describe_error(error)
        if known is None or wants_traceback:
            raise
        print(f"Error: {known}", file=sys.stderr)
        sys.exit(exit_code(error))
    finally:
        if not wants_traceback:
            os.environ.pop("HYDRA_FULL_ERROR", None)
    sys.exit(0)


@contextlib.contextmanager
def _interrupt_on_sigterm(received: threading.Event) -> Iterator[None]:
    def interrupt(number: int, frame: FrameType | None) -> None:
        received.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _WithoutPreface(io.TextIOBase):
    """Passes on what is written to a stream, except Hydra's preface to an error."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if text.startswith(_HYDRAS_PREFACE) else self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


def discard_job_output(output_dir: Path, job_name: str) -> None:
    """Removes a job's folder if nothing is in it but what Hydra itself writes at the start.

    Hydra makes the folder before anyone can look at the configuration; one that is refused should leave nothing behind.
    """
    ours = [output_dir / ".hydra" / name for name in ("config.yaml", "hydra.yaml", "overrides.yaml")]
    ours += [output_dir / f"{job_name}.log", output_dir / ".hydra"]
    if set(output_dir.rglob("*")) - set(ours):
        return
    for path in ours[:-1]:
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        ours[-1].rmdir()
        output_dir.rmdir()
