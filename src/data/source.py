"""Files of a data set by their names, whether they lie in a folder or in a zip."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from src.data.decoding import BadImageError
from src.errors import DataError

# Left behind by file managers and notebooks, never part of a data set.
_CLUTTER = {"__MACOSX", "@eaDir"}


class FileSource(ABC):
    """The files below one place; names are relative to it, with `/` between their parts.

    Attributes:
        location: The place, for messages.
        stamps: For each file a value that changes when the file may have changed.
        folders: Names of all folders, each ending with `/`; the place itself is the empty name.
    """

    location: str
    stamps: dict[str, str]
    folders: frozenset[str]

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Returns the content of a file; called by several threads at once.

        Raises:
            BadImageError: The file is damaged or has gone.
            DataError: The file cannot be read, although it is there.
        """

    @abstractmethod
    def close(self) -> None:
        """Lets go of what reading needs."""

    def __enter__(self) -> Self:
        """Returns the source, to be closed at the end of a `with` block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        """Closes the source."""
        self.close()

    def subfolders(self, folder: str) -> tuple[str, ...]:
        """Returns the names, without `/`, of the folders directly in a folder, in natural order."""
        return natural_order(name[len(folder) : -1] for name in self._children[folder][0])

    def files(self, folder: str, *, below: bool) -> tuple[str, ...]:
        """Returns the names of the files in a folder, and in its own folders if `below`, in natural order."""
        folders, files = self._children[folder]
        names = list(files)
        for inner in folders if below else ():
            names += self.files(inner, below=True)
        return natural_order(names)

    @cached_property
    def _children(self) -> dict[str, tuple[list[str], list[str]]]:
        """For each folder the folders and the files directly in it; scanning all names anew would be quadratic."""
        children: dict[str, tuple[list[str], list[str]]] = {folder: ([], []) for folder in self.folders}
        for folder in self.folders - {""}:
            children[folder[: folder.rstrip("/").rfind("/") + 1]][0].append(folder)
        for name in self.stamps:
            children[name[: name.rfind("/") + 1]][1].append(name)
        return children


class FolderSource(FileSource):
    """Files in a folder on disk; links are followed."""

    def __init__(self, folder: Path) -> None:
        """Lists a folder.

        Raises:
            DataError: The folder, or one in it, cannot be listed.
        """
        self.location = str(folder)
        self.stamps = {}
        self._folder = folder
        self._folders: set[str] = {""}
        try:
            self._list(folder, "", ())
        except OSError as error:
            raise DataError(f"The folder {error.filename or folder} cannot be listed: {error.strerror}.") from error
        self.folders = frozenset(self._folders)

    def _list(self, folder: Path, prefix: str, parents: tuple[Path, ...]) -> None:
        real = folder.resolve()
        if real in parents:
            return  # A link to a folder that it lies in: following it would never end.
        # What the system tells with a name need not be asked for again: it saves half the time of listing many files.
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_clutter(entry.name):
                    continue
                name = prefix + entry.name
                if entry.is_dir():
                    self._folders.add(f"{name}/")
                    self._list(folder / entry.name, f"{name}/", (*parents, real))
                    continue
                try:
                    status = entry.stat()
                    self.stamps[name] = f"{status.st_size} {status.st_mtime_ns}"
                except FileNotFoundError:
                    self.stamps[name] = "missing"  # A link to nothing: reported when it is to be read.

    def read(self, name: str) -> bytes:
        """Returns the content of a file; see `FileSource.read`."""
        path = self._folder / name
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise BadImageError("the file is not there, or is a link to nothing") from error
        except OSError as error:
            # Not the image is bad but the access to it, which may be mended: nothing of it may enter the cache.
            raise DataError(f"The file {path} cannot be read: {error.strerror or error}.") from error

    def close(self) -> None:
        """Does nothing: no file is kept open."""


def natural_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sorts names with numbers in them by number: `cat.2.jpg` before `cat.10.jpg`, on every file system."""
    return tuple(sorted(names, key=_natural_key))


def is_clutter(part: str) -> bool:
    """Tells whether a file or folder name is hidden or left behind by another program."""
    return part.startswith(".") or part in _CLUTTER


def _natural_key(name: str) -> tuple[list[str | int], str]:
    # The name itself comes last, so that `01` and `1` have an order too.
    parts = re.split(r"([0-9]+)", name)  # Every second part is a number.
    return [int(part) if position % 2 else part for position, part in enumerate(parts)], name
