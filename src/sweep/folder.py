"""The folder for the files of a sweep."""

from __future__ import annotations

from pathlib import Path

from src.errors import StorageError


def make_folder(folder: Path) -> None:
    """Makes the folder for the files of a sweep, where it is not there yet.

    Raises:
        StorageError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The folder of the sweep, {folder}, cannot be made: {error.strerror}. Give a folder that can be written "
            "with hydra.sweep.dir=…."
        ) from error
