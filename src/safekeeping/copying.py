"""Copies of what others may be writing to at this moment: of databases one moment, of files whole ones."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from src.errors import StorageError

#: What an SQLite file begins with.
_MAGIC = b"SQLite format 3\x00"
#: Ends of the names of what belongs to a process alone: locks, drafts, and what SQLite keeps beside a database.
_PASSING = (".lock", ".new", "-journal", "-wal", "-shm")
#: Seconds to wait for another process that writes.
_BUSY_SECONDS = 60
#: End of the name of a copy that is not whole yet.
DRAFT = ".partial"


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
    try:
        with (
            closing(sqlite3.connect(source, timeout=_BUSY_SECONDS)) as original,
            closing(sqlite3.connect(draft, isolation_level=None)) as copy,
        ):
            # All pages in one step: in several, each writer in between would have it begin anew.
            original.backup(copy, pages=-1)
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
    except FileNotFoundError:
        return False


def find_files(folder: Path) -> Iterator[Path]:
    """Yields the files of a folder that outlive the processes which write them."""
    for place, folders, names in os.walk(folder):
        # Journals that are being deleted.
        folders[:] = [name for name in folders if not name.startswith(".removed-")]
        for name in names:
            if name != "lock" and not name.endswith((*_PASSING, DRAFT)):
                yield Path(place) / name


def _is_same(source: Path, target: Path) -> bool:
    try:
        copied = target.stat()
    except FileNotFoundError:
        return False
    original = source.stat()
    return (original.st_size, original.st_mtime_ns) == (copied.st_size, copied.st_mtime_ns)


def _copy_file(source: Path, target: Path) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(target.name + DRAFT)
    try:
        # With its times, by which the next backup recognizes it.
        shutil.copy2(source, draft)
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
