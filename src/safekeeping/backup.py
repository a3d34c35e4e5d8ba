"""A backup: the stores as they are at one moment, and all that lies with them, made while others go on writing."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from src.errors import StorageError
from src.safekeeping.copying import copy_database, copy_files, find_files, is_beside_database, is_database
from src.safekeeping.manifest import MANIFEST, Manifest, take_folder
from src.safekeeping.places import ARTIFACTS, Places

#: Folder in a backup of what is of one moment, until all of it is there.
_FRESH = ".fresh"


@dataclass(frozen=True)
class Backup:
    """A backup that was made.

    Attributes:
        folder: Where it lies.
        num_bytes: What had to be written for it.
    """

    folder: Path
    num_bytes: int

    def describe(self) -> str:
        """Returns where it lies and how it is put back."""
        return (
            f"{self.folder} holds the backup; {self.num_bytes / 1e6:.1f} MB were written. To put it back: python -m "
            f"src.backup {self.folder} --restore"
        )


def make_backup(places: Places, folder: Path) -> Backup:
    """Makes a backup, or brings one up to date: files that are in it already are not copied again.

    Artifacts are only ever added, also where the original is gone since, so that a mistake is not copied. Databases and
    the journals of runs are as they were at one moment of this backup.

    Raises:
        StorageError: There is nothing to back up, the folder lies within it or around it or holds something else, or
            something cannot be read or written.
    """
    folder = folder.absolute()
    if not places.database.exists():
        raise StorageError(f"There is nothing to back up: {places.database} is not there. Name a store with --uri.")
    _check_apart(places, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=0):
            take_folder(folder, places.artifacts)
            return Backup(folder, _write(places, folder))
    except Timeout as error:
        raise StorageError(f"Another process is writing the backup {folder}. Wait for its end.") from error
    except OSError as error:
        place = f" at {error.filename}" if error.filename else ""
        raise StorageError(
            f"The backup {folder} cannot be written{place}: {error.strerror or error}. What was in it before is there "
            "still. Make room, or give a folder on another disk."
        ) from error


def _write(places: Places, folder: Path) -> int:
    fresh, outbox = folder / _FRESH, places.outbox_name
    shutil.rmtree(fresh, ignore_errors=True)
    # The journals first: what one of them says the store has, the copy of the store then has. What it has besides
    # is delivered to it twice, which changes nothing.
    written = copy_files(find_files(places.outbox, places.is_passing), places.outbox, fresh / outbox)
    files = list(
        find_files(
            places.artifacts,
            lambda path: path == places.outbox or places.is_passing(path) or is_beside_database(path),
        )
    )
    databases = {ARTIFACTS / path.relative_to(places.artifacts): path for path in files if is_database(path)}
    databases |= {Path(name): path for name, path in places.parts.items() if path.is_file()}
    for name, path in databases.items():
        written += copy_database(path, fresh / name)
    # After the databases, so that there is what they name.
    others = set(databases.values())
    written += copy_files((path for path in files if path not in others), places.artifacts, folder / ARTIFACTS)
    made = datetime.now().astimezone().isoformat(timespec="seconds")
    fresh.mkdir(exist_ok=True)
    Manifest(made, places.uri, str(places.artifacts), tuple(places.parts)).write(fresh)
    # Half old and half new it is no backup; from here on nothing needs room on the disk.
    (folder / MANIFEST).unlink(missing_ok=True)
    _put_in_place(fresh, folder, [outbox, *databases, Path(MANIFEST)])
    return written


def _check_apart(places: Places, folder: Path) -> None:
    """Looks whether a backup would touch what it is a backup of.

    Raises:
        StorageError: It would: one of the two lies within the other, perhaps by a link.
    """
    copies = [path.resolve() for path in (folder, *(folder / name for name in places.parts))]
    for part in places.parts.values():
        original = part.resolve()
        if any(copy.is_relative_to(original) or original.is_relative_to(copy) for copy in copies):
            raise StorageError(
                f"A backup cannot lie in what it is a backup of, nor around it, but {folder} and {part} do. Give "
                "another folder, or disk."
            )


def _put_in_place(fresh: Path, folder: Path, names: Iterable[Path]) -> None:
    """Has what is of one moment take the place of what was, all of it within moments."""
    for name in names:
        target = folder / name
        if target.is_dir():
            shutil.rmtree(target)
        if (fresh / name).exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).replace(target)
    shutil.rmtree(fresh)
