"""A disk of its own, in memory, that can be filled to the last byte; it goes with the process that mounts it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

#: Set once this process has a namespace of its own for what it mounts.
_INSIDE = "MONTH_INSIDE"
_SIZE = "800m"


class Disk:
    """A folder, on a disk of its own where the machine allows that.

    Attributes:
        folder: The folder.
        own: Whether it is on a disk of its own, so that it can be filled.
    """

    def __init__(self, folder: Path) -> None:
        """Makes the folder, and mounts the disk there."""
        self.folder = folder
        folder.mkdir(parents=True)
        mount = ("mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(folder))
        self.own = _INSIDE in os.environ and _succeeds(*mount)
        self._filler = folder / "filler"

    def fill(self, free_bytes: int) -> None:
        """Leaves so many bytes free."""
        with self._filler.open("wb") as file:
            while (size := shutil.disk_usage(self.folder).free - free_bytes) > 0:
                # Others write meanwhile: then there is less by now.
                with contextlib.suppress(OSError):
                    os.posix_fallocate(file.fileno(), file.tell(), size)
                    file.seek(size, os.SEEK_CUR)

    def empty(self) -> None:
        """Takes away what fills it."""
        self._filler.unlink(missing_ok=True)

    def close(self) -> None:
        """Takes the disk away, and all that is on it; what is no disk of its own stays."""
        if self.own:
            # A process that has just been killed may still be there for a moment.
            _succeeds("umount", "--lazy", str(self.folder))


def enter_namespace(module: str, arguments: Sequence[str]) -> None:
    """Starts this program again where it may mount something that nobody else sees, if the machine allows that."""
    unshare = ("unshare", "--mount", "--map-root-user")
    if os.environ.get(_INSIDE) is None and shutil.which("unshare") and _succeeds(*unshare, "true"):
        os.environ[_INSIDE] = "1"
        os.execvp(unshare[0], [*unshare, sys.executable, "-m", module, *arguments])


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
