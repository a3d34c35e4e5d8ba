"""The cache folder on disk: one process at a time writes to a place in it, and errors say how to choose another."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from src.errors import StorageError

_logger = logging.getLogger(__name__)

_PATIENCE_SECONDS = 2.0


def cache_folder(cache_dir: str) -> Path:
    """Returns the configured cache folder as an absolute path; a leading `~` is the home folder."""
    return Path(cache_dir).expanduser().absolute()


@contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Turns an `OSError` of writing below the cache folder into a `StorageError` that names the ways out.

    Raises:
        StorageError: The disk is full, or the folder cannot be written to.
    """
    try:
        yield
    except OSError as error:
        where = f" at {error.filename}" if error.filename and str(error.filename) != str(folder) else ""
        raise StorageError(
            f"The cache folder {folder} cannot be written to{where}: {error.strerror or error}. {_free_space(folder)}"
            "Choose another folder with dataset.cache_dir=FOLDER or the environment variable FITGAP_CACHE_DIR, or make "
            "room in this one."
        ) from error


@contextmanager
def exclusive(place: Path) -> Iterator[None]:
    """Lets one process at a time prepare a file or folder; the others wait here until it is done or has died."""
    place.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place.with_name(place.name + ".lock"))
    try:
        lock.acquire(timeout=_PATIENCE_SECONDS)
    except Timeout:
        _logger.info("Another process is preparing %s; waiting for it.", place)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _free_space(folder: Path) -> str:
    existing = next((path for path in (folder, *folder.parents) if path.is_dir()), None)
    if existing is None:
        return ""
    try:
        free = shutil.disk_usage(existing).free
    except OSError:
        return ""
    return f"Its disk has {free / 1e9:.1f} GB free. "
