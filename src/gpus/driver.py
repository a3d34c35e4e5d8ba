"""Questions to NVIDIA's driver, asked with its own program."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Sequence

#: How long the driver may take: without anybody who keeps it loaded it first has to start every GPU.
_SECONDS = 30

PROGRAM = "nvidia-smi"


def ask_driver(what: str, fields: Sequence[str]) -> list[list[str]]:
    """Returns a table of the driver, one row per `gpu` or `compute-apps`; an empty one where it does not answer."""
    answer = run_program(f"--query-{what}={','.join(fields)}", "--format=csv,noheader,nounits")
    rows = csv.reader(answer.splitlines(), skipinitialspace=True)
    # An error is printed to the same place as an answer.
    return [row for row in rows if len(row) == len(fields)]


def run_program(*arguments: str) -> str:
    """Returns what the program prints; nothing where it is not there, fails, or hangs."""
    program = shutil.which(PROGRAM)
    if program is None:
        return ""
    try:
        answer = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout
