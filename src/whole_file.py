"""Files that are never seen half-written: whoever looks sees the old one, or the new one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def write_whole(path: Path, content: bytes, *, private: bool = False, lasting: bool = False) -> None:
    """Writes a file in one step, and the folder that it lies in where there is none.

    Args:
        path: Where to.
        content: All of it.
        private: Whether its owner alone may read it, rather than everybody who may read the folder.
        lasting: Whether also a power cut right afterwards leaves the old one or the new one, which takes the disk some
            time.

    Raises:
        OSError: The file cannot be written; nothing is left of the attempt.
    """
    with open_whole(path, private=private, lasting=lasting) as file:
        file.write(content)


@contextmanager
def open_whole(path: Path, *, private: bool = False, lasting: bool = False) -> Iterator[IO[bytes]]:
    """Opens a file that is written piece by piece and appears once the block has ended; the arguments of `write_whole`.

    Raises:
        OSError: The file cannot be written; nothing is left of the attempt, nor is it after any other exception.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        if not private:
            partial.chmod(0o644)  # Temporary files are private.
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
