"""Memory-mapped arrays that do not fit into memory: the rows that are wanted are asked for together and alone.

Of a mapped file that fits, the system reads far around each row that is touched, and what it reads will be wanted soon.
Of one that does not, rows in random order are read so one after the other, each with megabytes around it that push
others out before they are used.
"""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Share of the memory up to which a mapped array is left to the system: the rest is for the training and for others.
_FITTING_SHARE = 0.5

#: For each version of Linux's control groups the folder of its hierarchy and the file with a group's limit.
_LIMIT_FILES = {"": ("", "memory.max"), "memory": ("memory", "memory.limit_in_bytes")}


def request_rows(array: NDArray[Any], rows: NDArray[np.integer[Any]]) -> None:
    """Has the system read rows of a memory-mapped array that does not fit into memory; returns before it has.

    Does nothing for an array that fits, or that is mapped from no file.

    Args:
        array: The array, C-ordered.
        rows: Positions of rows, in any order.
    """
    mapped = getattr(array, "_mmap", None)
    if mapped is None or array.nbytes <= _FITTING_SHARE * usable_memory():
        return
    start = int(array.ctypes.data) - int(np.frombuffer(mapped, np.uint8).ctypes.data)
    # It is advice: where the system cannot take it, the rows are read when they are touched.
    with contextlib.suppress(OSError):
        for first, length in find_pages(start, array.strides[0], rows):
            mapped.madvise(mmap.MADV_WILLNEED, first, length)


def find_pages(start: int, row_bytes: int, rows: NDArray[np.integer[Any]]) -> Iterator[tuple[int, int]]:
    """Yields, in the file's order, where the whole pages that hold each row begin and how many bytes they span.

    Args:
        start: Where the first row begins in the mapping, in bytes.
        row_bytes: Length of a row.
        rows: Positions of rows.
    """
    for row in np.sort(rows).tolist():
        begin = start + row * row_bytes
        first = begin - begin % mmap.PAGESIZE
        yield first, begin + row_bytes - first


@functools.cache
def usable_memory() -> int:
    """Returns the bytes of memory that this process may use: all of the machine's, or what its control group allows."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *read_limits(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))])


def read_limits(membership: Path, root: Path) -> list[int]:
    """Returns the memory limits of a process's control groups, in bytes; none where there are no such groups.

    Args:
        membership: The system's file that names the groups, one a line: `number:controllers:path`.
        root: Where the groups' files are.
    """
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    limits: list[int] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in _LIMIT_FILES:
            continue
        hierarchy, name = _LIMIT_FILES[controllers]
        top = root / hierarchy
        group = top / path.lstrip("/")
        # A group is held to the limits of those above it too. In a container only the last of these may be visible.
        for folder in (group, *group.parents):
            if not folder.is_relative_to(top):
                break
            limits += _read_limit(folder / name)
    return limits


def _read_limit(path: Path) -> list[int]:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError:
        return []
    return [int(text)] if text.isdecimal() else []
