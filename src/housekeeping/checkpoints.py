"""What trials have kept of their trainings, so as to go on after an interruption."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

from src.housekeeping.holding import AWAITED, CHECKPOINTS, Holding, measure
from src.study.ticket import CHECKPOINT


def find_checkpoints(outputs: Path, awaited: Collection[Path], keep: str = "") -> Iterator[Holding]:
    """Yields the checkpoints below the folder of all outputs.

    A trial's end deletes its own. Those that are left are of trials that wait to go on, or of searches that were killed
    and never gone on with.

    Args:
        outputs: The folder.
        awaited: Folders of the trials that have not ended.
        keep: Why none may be deleted; empty where they may.
    """
    for path in sorted(outputs.rglob(CHECKPOINT)):
        kind = AWAITED if any(path.is_relative_to(folder) for folder in awaited) else CHECKPOINTS
        # Its search may go on, and end it, at this moment.
        with contextlib.suppress(FileNotFoundError):
            used_at, name = path.stat().st_mtime, str(path.parent.relative_to(outputs))
            yield Holding(kind, path, measure(path), used_at, name, keep=keep)
