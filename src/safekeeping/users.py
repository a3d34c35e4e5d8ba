"""Who uses a store at this moment: processes with a file of it open, held locks, and sweeps that wait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from src.occupancy import find_claimants, find_held_locks, find_openers
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
        *_find_scheduled(places),
    ]


def _find_scheduled(places: Places) -> Iterator[str]:
    """Yields the scheduled sweeps that run or wait in the checkout in which a store lies."""
    for path, process in find_claimants().items():
        try:
            root = Path(json.loads(path.read_text(encoding="utf-8"))["root"])
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError):
            # It says nothing yet, or cannot: whose it is nobody knows.
            yield f"process {process} has the claim {path}"
            continue
        if places.database.resolve().is_relative_to(root.resolve()):
            yield f"a sweep runs or waits, process {process}"
