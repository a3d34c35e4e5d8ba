"""What every entry point needs around its one function: plain error messages and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

from src.config.messages import COMPOSITION_ERRORS, explain
from src.errors import ConfigError, FitgapError

#: Exit code of a command that was interrupted, as shells report it: 128 plus SIGINT.
INTERRUPTED = 130


def run_command(command: Callable[[], object]) -> None:
    """Runs an entry point's function and exits: 0 when done, else with a message on stderr instead of a traceback.

    Hydra prints and swallows errors on its own unless `HYDRA_FULL_ERROR` is set; it is, for the time of the call, so
    that they arrive here. A user who sets it gets the traceback.

    Raises:
        SystemExit: Always, with 0, the error's own exit code, or 130 after Ctrl-C.
        Exception: A defect of ours, with its traceback.
    """
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR", "0") not in ("", "0")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        command()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (FitgapError, OSError, ValueError, *COMPOSITION_ERRORS) as error:
        known = describe_error(error)
        if known is None or wants_traceback:
            raise
        print(f"Error: {known}", file=sys.stderr)
        sys.exit(exit_code(error))
    finally:
        if not wants_traceback:
            os.environ.pop("HYDRA_FULL_ERROR", None)
    sys.exit(0)


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


def describe_error(error: BaseException) -> str | None:
    """Returns the message for an error that a user can mend, or None for a defect of ours."""
    if isinstance(error, FitgapError):
        return str(error)
    if isinstance(error, COMPOSITION_ERRORS):
        return explain(error)
    if isinstance(error, ValueError) and str(error).startswith("Config group override must be"):
        return f"A group cannot be set to nothing; name one of its options. {error}."
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        # An error of writing has no file name; only one of opening does.
        place = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{place}. {_FILE_SYSTEM_REMEDIES[errno.ENOSPC]}"
    if isinstance(error, OSError) and error.filename and error.errno in _FILE_SYSTEM_REMEDIES:
        return f"{error.strerror}: {error.filename}. {_FILE_SYSTEM_REMEDIES[error.errno]}"
    return None


def exit_code(error: BaseException) -> int:
    """Returns the exit code for an error: 2 for a wrong configuration, as for wrong arguments, else 1."""
    if isinstance(error, (*COMPOSITION_ERRORS, ValueError)):
        return ConfigError.exit_code
    return error.exit_code if isinstance(error, FitgapError) else 1


_OUTPUT_REMEDY = "Give a folder that can be written with hydra.run.dir=… (hydra.sweep.dir=… with -m)."
_FILE_SYSTEM_REMEDIES = {
    errno.ENOENT: _OUTPUT_REMEDY,
    errno.EACCES: _OUTPUT_REMEDY,
    errno.EROFS: _OUTPUT_REMEDY,
    errno.EPERM: _OUTPUT_REMEDY,
    errno.ENOTDIR: _OUTPUT_REMEDY,
    errno.EEXIST: _OUTPUT_REMEDY,
    errno.ENOSPC: "The disk is full: free some space, or give a folder elsewhere with hydra.run.dir=….",
}
