"""Who uses a store at this moment: processes that have a file of it open, or hold one of its locks."""

from __future__ import annotations

from src.occupancy import find_held_locks, find_openers
from src.safekeeping.places import Places


def find_users(places: Places) -> list[str]:
    """Returns who uses a store, in words; nobody where the list is empty.

    On Linux that is every process of this user that has a database or a journal open; elsewhere, and on other machines,
    the locks that running searches and runs hold have to say it.
    """
    roots = [path for path in (places.artifacts, places.outbox, *places.parts.values()) if path.exists()]
    return [
        *(f"process {process} has {path} open" for path, process in find_openers(roots).items()),
        *(f"the lock {path} is held" for path in find_held_locks(roots)),
    ]
