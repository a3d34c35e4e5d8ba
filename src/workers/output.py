"""What a process prints: sent to a file while a job runs, and the end of it read where the job died."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

#: Bytes at the end of a file that are looked at.
_TAIL_BYTES = 65_536


@contextlib.contextmanager
def print_to(path: Path) -> Iterator[None]:
    """Sends what the process prints to a file, also what libraries in C++ write to the file descriptors themselves."""
    flush_output()
    kept = [os.dup(1), os.dup(2)]
    try:
        with path.open("ab", buffering=0) as file:
            for descriptor in (1, 2):
                os.dup2(file.fileno(), descriptor)
        yield
    finally:
        flush_output()
        for descriptor, original in zip((1, 2), kept, strict=True):
            os.dup2(original, descriptor)
            os.close(original)


def read_tail(path: Path, offset: int = 0) -> list[str]:
    """Returns the last lines of a file, none from before `offset`; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(offset, size - _TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()
    except OSError:
        return []


def flush_output() -> None:
    """Writes what Python, C and C++ have kept back."""
    for stream in (sys.stdout, sys.stderr):
        # The job may have closed them, or put something else in their place.
        with contextlib.suppress(Exception):
            stream.flush()
    ctypes.CDLL(None).fflush(None)
