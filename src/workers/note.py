"""The note that a worker process leaves for its parent about the job that it has taken, should it die in it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Note:
    """What is known of a job that has begun.

    Attributes:
        pid: Its process.
        started: When it took the job, on the clock of `time.monotonic`, which processes of a machine share.
        output: File that takes what the job prints; None as long as its folder is not known, or where none does.
        offset: Length that the file had before.
    """

    pid: int
    started: float
    output: str | None = None
    offset: int = 0

    @classmethod
    def begin(cls) -> Note:
        """Returns the note of a job that this process takes now."""
        return cls(os.getpid(), time.monotonic())

    def write(self, path: Path) -> None:
        """Writes the note in one go."""
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self)), encoding="utf-8")
        draft.replace(path)

    @classmethod
    def read(cls, path: Path) -> Note | None:
        """Returns the note; None where no job has begun."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
