"""What a backup says of itself; without it a folder is none, or one whose making was interrupted.

Beside it lies a mark with the store that the folder is of, which is there from the first moment on.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from src.errors import StorageError
from src.whole_file import write_whole

#: The manifest's name in a backup.
MANIFEST = "backup.json"
#: The mark's name, and what else may be in a folder that holds nothing yet.
_MARK, _LOCK = ".store", ".lock"


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself.

    Attributes:
        made: When it was made, in ISO 8601.
        uri: The address of the store that it is of.
        artifacts: The folder of artifacts that its database names, absolute.
        parts: What it consists of, by their names in it.
    """

    made: str
    uri: str
    artifacts: str
    parts: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """Writes it into a folder; a backup in which it lies is complete.

        Raises:
            OSError: It cannot be written.
        """
        write_whole(folder / MANIFEST, json.dumps(asdict(self), indent=2).encode() + b"\n")


def take_folder(folder: Path, artifacts: Path) -> None:
    """Marks a folder as that of the backups of one store, before anything else is written to it.

    Args:
        folder: The folder, which exists.
        artifacts: The folder of artifacts of the store.

    Raises:
        StorageError: It holds something else, or backups of another store.
        OSError: It cannot be read or written.
    """
    mark = folder / _MARK
    if mark.exists():
        owner = mark.read_text(encoding="utf-8").strip()
    elif (folder / MANIFEST).exists():
        owner = read_manifest(folder).artifacts
    else:
        found = next((path.name for path in folder.iterdir() if path.name != _LOCK), None)
        if found is not None:
            raise StorageError(
                f"{folder} is not empty and no backup: {found} is in it, and a backup would replace what has its "
                "names. Give a folder that is empty or not there."
            )
        owner = str(artifacts)
    if Path(owner).resolve() != artifacts.resolve():
        raise StorageError(
            f"{folder} holds backups of another store, that of {owner}, but this one's artifacts lie in {artifacts}. "
            "Give each store a folder of its own."
        )
    write_whole(mark, f"{owner}\n".encode())


def read_manifest(folder: Path) -> Manifest:
    """Returns what a backup says of itself.

    Raises:
        StorageError: The folder is no backup, or none that was finished.
    """
    try:
        values = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return Manifest(
            str(values["made"]), str(values["uri"]), str(values["artifacts"]), tuple(map(str, values["parts"]))
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{folder} is no backup that was finished: {MANIFEST} in it cannot be read. Give the folder that "
            "`python -m src.backup FOLDER` has written, or write it again."
        ) from error
