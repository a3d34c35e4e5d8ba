"""One thing on disk that can be counted, and perhaps deleted: a data set's decoded images, a run's model."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

#: Kinds that a budget is for, in the order in which they are deleted: what nobody needs any more comes first, then what
#: is made again soonest, and last what a trial would go on from, which would begin anew without.
CHECKPOINTS, DECODED, FEATURES, DOWNLOADS = "checkpoints", "decoded images", "features", "downloads"
MODELS, AWAITED = "models", "checkpoints of trials that wait"
ORDER = (CHECKPOINTS, DECODED, FEATURES, DOWNLOADS, MODELS, AWAITED)


@dataclass(frozen=True)
class Holding:
    """One thing on disk.

    Attributes:
        kind: One of `ORDER`.
        path: Its file or folder.
        num_bytes: What it takes.
        used_at: When it was last used, or where nobody can say made, in seconds since 1970.
        name: What it is called.
        rank: For a model the rank of its run in its sweep, the best is 0; those behind go first.
        run_id: For a model the run that it belongs to.
        experiment_id: For a model the experiment of that run.
        keep: Why it must stay; empty where it can be deleted.
    """

    kind: str
    path: Path
    num_bytes: int
    used_at: float
    name: str
    rank: int = 0
    run_id: str = ""
    experiment_id: str = ""
    keep: str = ""

    def describe(self) -> str:
        """Returns what it is and what it takes."""
        return f"{self.kind}: {self.name}, {self.num_bytes / 1e9:.3f} GB"


def measure(path: Path) -> int:
    """Returns the bytes that a file, or all files below a folder, take on disk; links are not followed.

    A sparse file takes less than its length; what vanishes meanwhile takes none.
    """
    try:
        status = path.lstat()
        below = list(path.iterdir()) if stat.S_ISDIR(status.st_mode) else []
    except OSError:
        return 0
    return status.st_blocks * 512 + sum(map(measure, below))
