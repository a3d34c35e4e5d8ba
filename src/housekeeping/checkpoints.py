"""What trials have kept of their trainings, so as to go on after an interruption."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

from src.errors import StudyError
from src.housekeeping.holding import AWAITED, CHECKPOINTS, Holding, measure
from src.study.pending import list_pending
from src.study.ticket import CHECKPOINTS as PATTERN
from src.study.ticket import TICKET, Ticket


def find_checkpoints(outputs: Collection[Path], storage: str, keep: str = "") -> Iterator[Holding]:
    """Yields the checkpoints below folders of outputs.

    A trial's end deletes its own. Those that are left are of trials that wait to go on, or of searches that were killed
    and never gone on with.

    Args:
        outputs: The folders.
        storage: The resolved URL of the storage of studies; of the trials of others it is not known whether they wait.
        keep: Why none may be deleted; empty where they may.
    """
    try:
        waiting = [Path(view.checkpoints).resolve() for view in list_pending(storage) if view.checkpoints]
    except StudyError as error:
        waiting, keep = [], keep or f"nobody can say which trials wait: {error}"
    found = {path: folder for folder in outputs for path in folder.rglob(PATTERN)}
    for path, folder in sorted(found.items()):
        is_awaited = any(path.resolve().is_relative_to(place) for place in waiting)
        kind = AWAITED if is_awaited or _find_storage(path) not in (None, storage) else CHECKPOINTS
        # Its search may go on, and end it, at this moment.
        with contextlib.suppress(FileNotFoundError):
            used_at, name = path.stat().st_mtime, str(path.parent.relative_to(folder))
            yield Holding(kind, path, measure(path), used_at, name, keep=keep)


def _find_storage(path: Path) -> str | None:
    """Returns the storage of the study that a checkpoint's trial belongs to; None where that is not known."""
    try:
        return Ticket.read(path.with_name(TICKET)).storage
    except StudyError:
        return None
