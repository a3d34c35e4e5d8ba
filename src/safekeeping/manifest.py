"""What a backup says of itself; without it a folder is none, or one whose making was interrupted."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from src.errors import StorageError
from src.whole_file import write_whole

_NAME = "backup.json"


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself.

    Attributes:
        made: When it was made, in ISO 8601.
        artifacts: The folder of artifacts that its database names, absolute.
        parts: What it consists of, by their names in it.
    """

    made: str
    artifacts: str
    parts: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """Writes it into a backup, which is complete from then on.

        Raises:
            OSError: It cannot be written.
        """
        write_whole(folder / _NAME, json.dumps(asdict(self), indent=2).encode() + b"\n")


def read_manifest(folder: Path) -> Manifest:
    """Returns what a backup says of itself.

    Raises:
        StorageError: The folder is no backup, or none that was finished.
    """
    try:
        values = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        return Manifest(str(values["made"]), str(values["artifacts"]), tuple(map(str, values["parts"])))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{folder} is no backup that was finished: {_NAME} in it cannot be read. Give the folder that `python -m "
            "src.backup FOLDER` has written, or write it again."
        ) from error
