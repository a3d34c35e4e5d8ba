"""Questions to NVIDIA's driver, asked with its own program."""

from __future__ import annotations

import contextlib
import csv
import shutil
import subprocess
import time
from collections.abc import Sequence

#: How long the driver may take: without anybody who keeps it loaded it first has to start every GPU.
_SECONDS = 30
#: How long it is not asked after it has not answered in that time.
_SILENT_SECONDS = 300
#: How long a process may take to end that has been killed.
_DYING_SECONDS = 1

_silent_until = 0.0

PROGRAM = "nvidia-smi"


def ask_driver(what: str, fields: Sequence[str]) -> list[list[str]]:
    """Returns a table of the driver, one row per `gpu` or `compute-apps`; an empty one where it does not answer."""
    answer = run_program(f"--query-{what}={','.join(fields)}", "--format=csv,noheader,nounits")
    rows = csv.reader(answer.splitlines(), skipinitialspace=True)
    # An error is printed to the same place as an answer.
    return [row for row in rows if len(row) == len(fields)]


def run_program(*arguments: str) -> str:
    """Returns what the program prints, also if it fails, as it does over one GPU of several; nothing if it hangs.

    One that hangs in the driver, as it does when a GPU is lost, cannot be killed: it is left alone, and no other is
    started for minutes.
    """
    global _silent_until
    program = shutil.which(PROGRAM)
    if program is None or time.monotonic() < _silent_until:
        return ""
    try:
        process = subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except OSError:
        return ""
    try:
        answer, _ = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        _silent_until = time.monotonic() + _SILENT_SECONDS
        _abandon(process)
        return ""
    return answer


def _abandon(process: subprocess.Popen[str]) -> None:
    """Kills a process, and waits for its end no longer than one takes that can be killed."""
    process.kill()
    # Whoever it has started may have it open, and would be waited for.
    if process.stdout is not None:
        process.stdout.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_DYING_SECONDS)
