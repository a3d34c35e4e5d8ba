"""Who uses files at this moment: processes that have them open or mapped, and locks that are held."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout


def find_openers(roots: Iterable[Path]) -> dict[Path, int]:
    """Returns the files at or below some places that another process of this user has open or mapped, and which has.

    Only Linux says it; elsewhere there are none.
    """
    within = [path.resolve() for path in roots]
    found: dict[Path, int] = {}
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        # One that has ended meanwhile, or is another user's, does not say.
        with contextlib.suppress(OSError):
            for path in _list_open(process):
                if any(path.is_relative_to(root) for root in within):
                    found[path] = int(process.name)
    return found


def find_held_locks(roots: Iterable[Path]) -> list[Path]:
    """Returns the locks beside some files and below some folders that are held, also by a process of this user."""
    paths = set()
    for root in roots:
        if root.is_dir():
            paths |= {path for name in ("*.lock", "lock") for path in root.rglob(name)}
        else:
            paths.add(root.with_name(root.name + ".lock"))
    return sorted(path for path in paths if path.is_file() and _is_held(path))


def _list_open(process: Path) -> Iterator[Path]:
    for link in (process / "fd").iterdir():
        yield link.readlink()
    # What is mapped need not be open any more.
    for line in (process / "maps").read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5].startswith("/"):
            yield Path(fields[5])


def _is_held(path: Path) -> bool:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False
