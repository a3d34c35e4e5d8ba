"""What every entry point needs around its one function: plain error messages and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from src.config.messages import COMPOSITION_ERRORS
from src.errors import FitgapError
from src.explanation import describe_error, exit_code

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
