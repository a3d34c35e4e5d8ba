"""What an error means to the person at the command line: its message, or none for a defect of ours, and exit code."""

from __future__ import annotations

import errno
import itertools
import traceback
from types import TracebackType

import hydra.core.utils

from src.config.messages import COMPOSITION_ERRORS, explain
from src.errors import ConfigError, FitgapError


def describe_error(error: BaseException) -> str | None:
    """Returns the message for an error that a user can mend, or None for a defect of ours."""
    if isinstance(error, FitgapError):
        return str(error)
    if isinstance(error, COMPOSITION_ERRORS):
        return explain(error)
    if isinstance(error, ValueError) and str(error).startswith("Config group override must be"):
        return f"A group cannot be set to nothing; name one of its options. {error}."
    if _sets_key_of_nothing(error):
        return (
            "An override sets a key of a block that is null here, such as schedule.when without a file of sweeps/ that "
            "has a schedule block. Choose such a file with sweeps=NAME, or leave the override out."
        )
    failure = find_storage_failure(error)
    if failure is None:
        return None
    # An error of writing has no file name; only one of opening does.
    place = f": {failure.filename}" if failure.filename else ""
    if failure.errno == errno.ENOSPC:
        remedy = "The disk is full: free some space, or write to another one."
    else:
        remedy = "Give a folder that can be written with hydra.run.dir=… (hydra.sweep.dir=… with -m)."
    return f"{failure.strerror}{place}. {remedy}"


def exit_code(error: BaseException) -> int:
    """Returns the exit code for an error: 2 for a wrong configuration, as for wrong arguments, else 1."""
    if isinstance(error, FitgapError):
        return error.exit_code
    if _sets_key_of_nothing(error):
        return ConfigError.exit_code
    if find_storage_failure(error) is None and isinstance(error, (*COMPOSITION_ERRORS, ValueError)):
        return ConfigError.exit_code
    return 1


def _sets_key_of_nothing(error: BaseException) -> bool:
    """Whether OmegaConf was to set a key where there is no mapping, which it only asserts."""
    return isinstance(error, AssertionError) and str(error) == "Unexpected type for root: NoneType"


def find_storage_failure(error: BaseException) -> OSError | None:
    """Returns the failure of writing that an error is or stands for: a full disk, or a job's folder refused to Hydra.

    Any other `OSError` is a defect: where fitgap itself writes, it raises a `StorageError`.
    """
    # The log file in the folder is opened by `logging`, which makes a ValueError of what goes wrong.
    failure = error if isinstance(error, OSError) else error.__cause__
    if not isinstance(failure, OSError):
        return None
    return failure if failure.errno == errno.ENOSPC or _made_job_folder(error.__traceback__) else None


def _made_job_folder(raised: TracebackType | None) -> bool:
    """Whether an error was raised while Hydra made the folder of a job and its own files there, not by the job."""
    frames = [frame for frame, _ in traceback.walk_tb(raised)]
    for caller, called in itertools.pairwise(frames):
        if caller.f_code is hydra.core.utils.run_job.__code__:
            return called.f_globals["__name__"].split(".")[0] in ("pathlib", "hydra")
    return False
