"""How much memory this process has of its own, and what it reads of a mapped file, of which a part alone may stay.

Linux only: it reads `/proc/self/status` and `/proc/self/io`.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_LOOK_SECONDS = 0.02


@dataclass
class Memory:
    """What was seen, in bytes.

    Attributes:
        own: The most memory of the process that no file stands for.
        read: What was read from disk in all.
        mapped: The most that was read from disk before all of it was dropped, so the most that can have stayed.
    """

    own: int = 0
    read: int = 0
    mapped: int = 0


@contextmanager
def watch_memory(array: np.memmap | None = None, most_mapped: int | None = None) -> Iterator[Memory]:
    """Watches this process's own memory and what it reads from disk until the block ends.

    Args:
        array: A mapped array, the only mapping of its file in any process; none of it is in memory yet.
        most_mapped: Bytes of the array that may be in memory. When more have been read, all are dropped: it is what a
            memory limit does to a file that does not fit, if more roughly. The limits of control groups need rights
            that whoever measures may not have.

    Yields:
        What was seen so far.
    """
    memory, ended = Memory(own_bytes()), threading.Event()
    begun = dropped = read_bytes()

    def look() -> None:
        nonlocal dropped
        now = read_bytes()
        memory.own = max(memory.own, own_bytes())
        memory.read = now - begun
        memory.mapped = max(memory.mapped, now - dropped)
        if array is not None and most_mapped is not None and now - dropped > most_mapped:
            drop(array)
            dropped = read_bytes()

    def watch() -> None:
        while not ended.wait(_LOOK_SECONDS):
            look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()
        look()


def own_bytes() -> int:
    """Returns the memory of this process that no file stands for."""
    return 1024 * _read_field("status", "RssAnon")


def read_bytes() -> int:
    """Returns the bytes that this process has had read from disk; what was in memory already does not count."""
    return _read_field("io", "read_bytes")


def drop(array: np.memmap) -> None:
    """Has the system forget what is in memory of a mapped array's file; the next access reads it from disk."""
    # NumPy does not say in its types that it keeps the mapping.
    array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]
    assert array.filename is not None
    descriptor = os.open(array.filename, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _read_field(file: str, name: str) -> int:
    for line in Path("/proc/self", file).read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise RuntimeError(
        f"/proc/self/{file} has no line {name}, which this benchmark needs; Linux writes it since version 4.5."
    )
