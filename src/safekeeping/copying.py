"""Copies of what others may be writing to at this moment: of databases one moment, of files whole ones."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

from src.errors import StorageError

#: What an SQLite file begins with.
_MAGIC = b"SQLite format 3\x00"
#: Ends of the names of what lies beside a database and belongs to the processes that use it.
_BESIDE = (".lock", "-journal", "-wal", "-shm")
#: Seconds to wait for another process that writes.
_BUSY_SECONDS = 60
#: End of the name of a copy that is not whole yet.
DRAFT = ".fitgap-partial"
#: How often a file is copied that changes meanwhile; the next backup copies it again.
_MAX_ATTEMPTS = 3
#: Disks such as those of FAT and exFAT keep times that are multiples of this, in nanoseconds, and up to 2 s away.
_COARSE, _COARSE_ERROR = 10_000_000, 2_000_000_000


def copy_files(paths: Iterable[Path], source: Path, target: Path) -> int:
    """Copies files of a folder that its copy lacks or has otherwise, and returns how many bytes that were.

    Nothing is removed from the copy, and what vanishes meanwhile is left out.

    Raises:
        OSError: A file cannot be read or written.
    """
    written = 0
    for path in paths:
        place = target / path.relative_to(source)
        with contextlib.suppress(FileNotFoundError):
            if not _is_same(path, place):
                written += _copy_file(path, place)
    return written


def copy_database(source: Path, target: Path) -> int:
    """Copies an SQLite database as it is at one moment, also while others write to it, and returns its bytes.

    The copy is checked, and takes the place of an older one in one step. Those that write wait until it is done.

    Raises:
        StorageError: It is damaged, or another process has kept it locked.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(target.name + DRAFT)
    draft.unlink(missing_ok=True)
    deadline = time.monotonic() + _BUSY_SECONDS

    def look_at_clock(status: int, remaining: int, total: int) -> None:
        # SQLite itself would try for ever.
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() >= deadline:
            raise sqlite3.OperationalError(f"another process has kept it locked for {_BUSY_SECONDS} seconds")

    try:
        with (
            closing(sqlite3.connect(source, timeout=_BUSY_SECONDS)) as original,
            closing(sqlite3.connect(draft, isolation_level=None)) as copy,
        ):
            # All pages in one step: in several, each writer in between would have it begin anew.
            original.backup(copy, pages=-1, progress=look_at_clock)
            faults = [str(row[0]) for row in copy.execute("PRAGMA quick_check(3)")]
    except sqlite3.Error as error:
        draft.unlink(missing_ok=True)
        raise StorageError(f"{source} cannot be copied to {target}: {error}. {_ADVICE}") from error
    if faults != ["ok"]:
        draft.unlink(missing_ok=True)
        raise StorageError(f"{source} is damaged: {'; '.join(faults)}. An older copy was left as it is. {_ADVICE}")
    _settle(draft, target)
    return target.stat().st_size


def is_database(path: Path) -> bool:
    """Whether a file is an SQLite database."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except (FileNotFoundError, IsADirectoryError):
        return False


def find_files(folder: Path, is_passing: Callable[[Path], bool]) -> Iterator[Path]:
    """Yields the files of a folder that outlive the processes which write them; links are followed.

    Args:
        folder: The folder; one that is not there has none.
        is_passing: Says of a file or folder whether it belongs to a process alone.

    Raises:
        OSError: A folder cannot be read.
    """
    yield from _walk(folder, is_passing, frozenset())


def is_beside_database(path: Path) -> bool:
    """Whether a file is what the users of a database keep beside it, for as long as they use it."""
    names = [path.name.removesuffix(end) for end in _BESIDE if path.name.endswith(end)]
    return any(name and is_database(path.with_name(name)) for name in names)


def _walk(folder: Path, is_passing: Callable[[Path], bool], above: frozenset[Path]) -> Iterator[Path]:
    real = folder.resolve()
    if real in above:
        # A link to a folder around it.
        return
    with contextlib.suppress(FileNotFoundError):
        for path in sorted(folder.iterdir()):
            if path.name.endswith(DRAFT) or is_passing(path):
                continue
            if path.is_dir():
                yield from _walk(path, is_passing, above | {real})
            elif path.is_file():
                yield path


def _is_same(source: Path, target: Path) -> bool:
    try:
        copied = target.stat()
    except FileNotFoundError:
        return False
    original = source.stat()
    error = _COARSE_ERROR if copied.st_mtime_ns % _COARSE == 0 else 0
    return original.st_size == copied.st_size and abs(original.st_mtime_ns - copied.st_mtime_ns) <= error


def _copy_file(source: Path, target: Path) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(target.name + DRAFT)
    try:
        for _ in range(_MAX_ATTEMPTS):
            before = source.stat()
            shutil.copy(source, draft)
            # With its times of before, by which the next backup recognizes it, or that it has changed meanwhile.
            os.utime(draft, ns=(before.st_atime_ns, before.st_mtime_ns))
            after = source.stat()
            if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
                break
        _settle(draft, target)
    finally:
        draft.unlink(missing_ok=True)
    return target.stat().st_size


def _settle(draft: Path, target: Path) -> None:
    """Has a draft take its place, once the disk has it."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(target)


_ADVICE = "Run `python -m src.schedule doctor`, and see docs/gpu-box.md."
