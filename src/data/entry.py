"""Entries of the cache folder: each a folder that one process makes whole, and that all memory-map afterwards."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from src.data.storage import exclusive, storage_errors

_logger = logging.getLogger(__name__)

T = TypeVar("T")


class _DamagedError(Exception):
    """A cache entry that is there but cannot be what was written; the message is the reason."""


def open_entry(
    root: Path, folder: Path, what: str, read: Callable[[Path], T], write: Callable[[Path], None], *, again: str
) -> T:
    """Opens an entry, and makes it first where it is missing or damaged.

    Of several processes that ask at once, one makes it and the others wait.

    Args:
        root: The cache folder.
        folder: The entry's folder below it.
        what: What the entry holds, for messages, such as `cached images`.
        read: Reads the entry from its folder; raises ValueError, or what Python and NumPy raise for a broken file,
            where the entry cannot be what was written.
        write: Writes the entry into an empty folder.
        again: What is done with a damaged entry, for messages, such as `decoded`.

    Raises:
        StorageError: The cache folder cannot be written to.
    """
    try:
        return _read(folder, read)
    except (FileNotFoundError, _DamagedError):
        pass  # Looked at again under the lock, when no other process is writing.
    except OSError as error:
        # An entry that cannot be read cannot be replaced either; a full cache folder is reported the same way.
        with storage_errors(root):
            raise error
    with storage_errors(root), exclusive(folder):
        try:
            return _read(folder, read)
        except FileNotFoundError:
            pass
        except _DamagedError as error:
            _logger.warning("The %s in %s are damaged (%s) and are %s again.", what, folder, error, again)
        _write(folder, write)
        return _read(folder, read)


@contextmanager
def write_rows(
    path: Path, dtype: np.dtype[Any], row_shape: tuple[int, ...], most: int
) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Writes an array file in pieces, so that the array need not fit into memory; yields what appends rows to it.

    The rows are streamed to the file, not written through a memory map: on a full disk a write fails with an error that
    can be reported, while a page of a memory map that has no room kills the process.

    Args:
        path: The file, `.npy`.
        dtype: Type of the array.
        row_shape: Shape of a row.
        most: The most rows that there may be.
    """
    count = 0
    with path.open("wb") as file:
        header_size = _write_header(file, dtype, (most, *row_shape))

        def append(rows: NDArray[Any]) -> None:
            nonlocal count
            assert rows.dtype == dtype, f"{rows.dtype} rows for a file of {dtype}"
            assert rows.shape[1:] == row_shape, f"rows {rows.shape} for a file of {row_shape}"
            file.write(np.ascontiguousarray(rows).tobytes())
            count += len(rows)

        yield append
        file.seek(0)
        # NumPy pads the header so that it keeps its length when the first dimension changes.
        assert _write_header(file, dtype, (count, *row_shape)) == header_size
        file.flush()
        os.fsync(file.fileno())


def _read(folder: Path, read: Callable[[Path], T]) -> T:
    if not folder.exists():
        raise FileNotFoundError(folder)
    try:
        return read(folder)
    except (FileNotFoundError, ValueError, KeyError, TypeError, EOFError) as error:
        raise _DamagedError(str(error) or type(error).__name__) from error


def _write(folder: Path, write: Callable[[Path], None]) -> None:
    """Writes into a folder next to the final one and renames it once everything is on disk."""
    unfinished = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(unfinished, ignore_errors=True)  # What a killed process left.
    unfinished.mkdir(parents=True)
    try:
        write(unfinished)
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write_header(file: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.tell()
