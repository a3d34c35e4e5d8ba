"""The shifts of a scheduled sweep on disk: a line of JSON each, the oldest first, beside their logs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from src.errors import StorageError
from src.scheduling.shift import LOST, RUNNING, Shift
from src.whole_file import write_whole

#: Seconds for which another process may write before something is wrong with it.
_LOCK_SECONDS = 60
#: Logs that are kept of each sweep.
_LOGS = 60


class Journal:
    """The shifts of one sweep."""

    def __init__(self, folder: Path) -> None:
        """Takes the sweep's folder, which need not be there yet."""
        self.folder = folder
        self.path = folder / "shifts.jsonl"

    def read(self) -> list[Shift]:
        """Returns all shifts, the oldest first; a line that cannot be read is left out."""
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        shifts = []
        for line in lines:
            try:
                shifts.append(Shift.from_json(line))
            except (ValueError, TypeError, AttributeError):
                continue
        return shifts

    def write(self, shift: Shift) -> None:
        """Adds a shift, or replaces what was known of it.

        Raises:
            StorageError: It cannot be written.
        """
        self._write(lambda shifts: [other for other in shifts if other.started != shift.started] + [shift])

    def close_lost(self) -> list[Shift]:
        """Ends what was left running: to be called by who has the sweep's claim, so that no other process runs it.

        Returns:
            The shifts that are lost, as they are recorded now.

        Raises:
            StorageError: It cannot be written.
        """
        if all(shift.state != RUNNING for shift in self.read()):
            return []
        lost: list[Shift] = []

        def close(shifts: list[Shift]) -> list[Shift]:
            reason = "Its process was killed, or the machine lost."
            closed = [
                replace(shift, state=LOST, reason=reason) if shift.state == RUNNING else shift for shift in shifts
            ]
            lost.extend(new for new, old in zip(closed, shifts, strict=True) if new is not old)
            return closed

        self._write(close)
        return lost

    def name_log(self, started: datetime) -> Path:
        """Returns the file for what a shift prints, and removes the oldest logs where there are many."""
        logs = sorted(self.folder.glob("*.log"))
        for path in logs[: max(0, len(logs) + 1 - _LOGS)]:
            path.unlink(missing_ok=True)
        return self.folder / f"{started:%Y-%m-%dT%H-%M-%S}.log"

    def _write(self, change: Callable[[list[Shift]], list[Shift]]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".lock", timeout=_LOCK_SECONDS):
                shifts = change(self.read())
                content = "".join(f"{shift.to_json()}\n" for shift in shifts).encode()
                # With the file all earlier shifts would be lost.
                write_whole(self.path, content, lasting=True)
        except (OSError, Timeout) as error:
            raise StorageError(
                f"The record of scheduled sweeps, {self.path}, cannot be written: {error}. Make "
                "room, or choose another folder with FITGAP_SCHEDULE_DIR."
            ) from error
