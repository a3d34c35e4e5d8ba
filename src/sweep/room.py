"""The room that is left on the disks of a sweep: below a floor no further run is started."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from src.config.paths import PROJECT_ROOT
from src.config.sweeper import SweeperConfig
from src.errors import StorageError
from src.study.address import resolve_storage
from src.study.address import sqlite_path as study_file
from src.sweep.application import Checked
from src.tracking.address import locate_outbox, resolve_uri
from src.tracking.address import sqlite_path as tracking_file


class FullDiskError(StorageError):
    """A disk that a sweep writes to is nearly full."""


class Room:
    """Says when a disk is so full that no further run shall be started, and which.

    A database whose disk is full refuses what it is told, and what a run comes to is lost with it. So it is looked at
    before each run, which costs microseconds, rather than found out.

    Attributes:
        folders: What the sweep writes into; those that are not there yet will be made.
        min_free_gb: The floor, in 10^9 bytes; None is none.
    """

    def __init__(self, folders: Iterable[Path], min_free_gb: float | None) -> None:
        """Takes absolute folders."""
        self.folders = list(dict.fromkeys(folders))
        self.min_free_gb = min_free_gb

    def find_shortage(self) -> str | None:
        """Returns why no further run shall be started, as a part of a sentence; None as long as there is room."""
        if not self.min_free_gb:
            return None
        for folder in self.folders:
            free = _measure_free(folder)
            if free is not None and free < self.min_free_gb * 1e9:
                return (
                    f"the disk of {folder} has {free / 1e9:.2f} GB free, less than hydra.sweeper.min_free_gb="
                    f"{self.min_free_gb:g}"
                )
        return None

    def check(self) -> None:
        """Makes sure that a run can be started.

        Raises:
            FullDiskError: A disk is too full.
        """
        shortage = self.find_shortage()
        if shortage is not None:
            raise FullDiskError(describe_shortage(shortage))


def describe_shortage(shortage: str) -> str:
    """Returns the whole message for a shortage: what it means, and what to do."""
    return (
        f"Nothing is started any more: {shortage}. Make room there, as `python -m src.disk clean --max-gb 50` does, "
        "and run the command again, which goes on with what is there; or lower hydra.sweeper.min_free_gb; 0 is none."
    )


def survey_room(settings: SweeperConfig, configs: Sequence[Checked], folder: Path, root: Path = PROJECT_ROOT) -> Room:
    """Returns the room of a sweep: that of its stores, of its own folder, and of what its runs share.

    Args:
        settings: The sweeper's settings.
        configs: The configurations of its runs.
        folder: The folder for its files.
        root: The project's root, in which the stores lie by default.

    Raises:
        StudyError: The storage's URL is none.
        TrackingError: The tracking URI is none.
    """
    folders = []
    for config in configs:
        uri = resolve_uri(config.tracking.uri, root)
        database = tracking_file(uri)
        if database is not None:
            folders += [database.parent, database.parent / "mlruns"]
        folders += [locate_outbox(uri, root), *config.folders]
    studies = study_file(resolve_storage(settings.storage, root))
    if studies is not None:
        folders.append(studies.parent)
    return Room([*folders, folder.absolute()], settings.min_free_gb)


def _measure_free(folder: Path) -> int | None:
    """Returns the bytes that this user can still write; None where nobody can say."""
    try:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        return shutil.disk_usage(existing).free
    except OSError:
        return None
