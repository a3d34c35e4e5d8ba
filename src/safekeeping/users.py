"""Who uses a store at this moment: processes that have a file of it open, or hold one of its locks."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock, Timeout

from src.safekeeping.places import Places


def find_users(places: Places) -> list[str]:
    """Returns who uses a store, in words; nobody where the list is empty.

    On Linux that is every process of this user that has a database or a journal open; elsewhere, and on other machines,
    the locks that running searches and runs hold have to say it.
    """
    roots = [path for path in (places.artifacts, places.outbox, *places.parts.values()) if path.exists()]
    return [*_find_processes(roots), *(f"the lock {path} is held" for path in _find_locks(roots) if _is_held(path))]


def _find_processes(roots: Iterable[Path]) -> list[str]:
    within = [path.resolve() for path in roots]
    users = []
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        try:
            opened = [link.readlink() for link in (process / "fd").iterdir()]
        except OSError:
            # It has ended, or is another user's.
            continue
        path = next((path for path in opened if any(path.is_relative_to(root) for root in within)), None)
        if path is not None:
            users.append(f"process {process.name} has {path} open")
    return users


def _find_locks(roots: Iterable[Path]) -> set[Path]:
    beside = {path.with_name(path.name + ".lock") for path in roots if path.is_file()}
    below = {path for root in roots if root.is_dir() for name in ("*.lock", "lock") for path in root.rglob(name)}
    return {path for path in beside | below if path.is_file()}


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
