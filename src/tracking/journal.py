"""The journal of one run on disk: everything that was logged and that the store may not have yet.

    mlruns/outbox/RUN_ID/
    ├── journal.jsonl    one record per line, appended when it is logged, with the time of that moment
    ├── cursor.json      the number of the last record that the store has, and of those that were set aside; for a
    │                    run that began without the store, also the id that it was given there; whether the store
    │                    has answered that it does not take the run at all
    ├── lock             held by the process that writes and delivers
    └── files/*/         copies of artifacts that are still to be delivered

A record is on disk before anything tries to deliver it, so that neither a dead server nor a killed process loses it.
The first record, a header, says which run it is of. A run that begins without the store has a provisional id, which
names the folder, and `create` as its first record, which says besides how the run is to be created.
There is no `fsync`: a power cut may cost the last seconds, in return for an epoch never waiting for the disk.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

#: Begins the name of a journal that is being deleted: a rename is atomic, deleting a folder is not.
REMOVED = ".removed-"

#: How often the deletion of a folder is tried.
_MAX_ATTEMPTS = 3
#: How long who records a run tries for the lock: who only looks whether somebody does holds it for a moment.
_LOOK_SECONDS = 1.0

_log = logging.getLogger(__name__)

Record = dict[str, Any]


class Journal:
    """The records of one run, in memory as long as they are pending and on disk as far as the disk takes them.

    Attributes:
        folder: The journal's folder.
        header: Which run it belongs to and in which store: `uri`, `experiment_id`, `experiment_name`, `run_id`,
            `run_name`; empty before it is opened or written. `run_id` there may be a provisional one.
        finished: Whether the run's end is among the records.
        left_at: Time of the last record that an earlier process has left, in milliseconds.
        gone: Whether the store has answered that it does not take this run at all, and nothing has changed since.
    """

    def __init__(self, folder: Path) -> None:
        """Prepares a journal; nothing is read or written before `open` or `append`."""
        self.folder = folder
        self.header: Record = {}
        self.finished = False
        self.left_at: int | None = None
        self.gone = False
        self._created_id = ""
        self._lock = FileLock(folder / "lock", thread_local=False)
        self._guard = threading.Lock()
        self._descriptor: int | None = None
        self._size = 0
        self._last = 0
        self._delivered = 0
        self._pending: dict[int, Record] = {}
        self._unwritten: list[Record] = []
        self._aside: dict[int, str] = {}
        self._warned = False
        self._error: OSError = OSError(errno.EBADF, "the journal was not opened")

    @property
    def run_id(self) -> str:
        """The store's id of the run, or the provisional one as long as the store does not have the run."""
        return self._created_id or str(self.header.get("run_id", ""))

    def open(self, *, create: bool = True) -> bool:
        """Takes the lock and reads what an earlier process has left; False if another process holds the lock.

        Args:
            create: Whether to begin a journal if there is none.

        Raises:
            FileNotFoundError: There is none, perhaps since another process has just delivered it.
            OSError: The folder cannot be read or written.
        """
        if create:
            self.folder.mkdir(parents=True, exist_ok=True)
        else:
            self._check_presence()
        try:
            self._lock.acquire(timeout=_LOOK_SECONDS if create else 0)
        except Timeout:
            return False
        except FileExistsError as error:
            # The folder was removed between the two looks that the lock takes at it.
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.folder)) from error
        if not create:
            try:
                self._check_presence()
            except FileNotFoundError:
                # The folder that taking the lock has made anew, in place of one that was just removed.
                with contextlib.suppress(OSError):
                    (self.folder / "lock").unlink()
                    self.folder.rmdir()
                self._lock.release()
                raise
        self.read()
        # Only the user may read it: a database URI can hold a password.
        self._descriptor = os.open(self.folder / "journal.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return True

    def open_failed(self, error: OSError) -> None:
        """Goes on without a disk: records are kept in memory and the first one warns."""
        self._error = error

    def append(self, kind: str, **fields: Any) -> Record:
        """Adds a record, with the present time in milliseconds, and returns it; a full disk is no error."""
        with self._guard:
            self._last += 1
            record: Record = {"number": self._last, "kind": kind, "time": int(time.time() * 1000), **fields}
            # In memory first: an interrupt between the lines may then cost nothing but a line on disk.
            self._pending[self._last] = record
            self._unwritten.append(record)
            self._note(record)
            self._write()
            return record

    def pending(self, limit: int) -> list[Record]:
        """Returns the first records that are still to be delivered, without those set aside."""
        with self._guard:
            waiting = (record for number, record in self._pending.items() if number not in self._aside)
            return [record for record, _ in zip(waiting, range(limit), strict=False)]

    def count(self) -> int:
        """Returns how many records the store does not have, those set aside included."""
        with self._guard:
            return len(self._pending)

    def confirm(self, numbers: Iterable[int]) -> None:
        """Notes that the store has these records and drops the copies of their files."""
        self.gone = False
        with self._guard:
            confirmed = [self._pending.pop(number, {}) for number in numbers]
            for record in confirmed:
                self._aside.pop(record.get("number", 0), None)
                self._delivered = max(self._delivered, record.get("number", 0))
        self._save_cursor()
        for record in confirmed:
            if record.get("staged"):
                shutil.rmtree(self.folder / "files" / record["staged"], ignore_errors=True)

    def name_run(self, run_id: str) -> None:
        """Notes the id that the store has given to a run that began without it; the next `confirm` writes it down."""
        self._created_id = run_id

    def note_gone(self) -> None:
        """Notes that the store does not take this run; it stays on disk, since a person can change that."""
        self.gone = True
        self._save_cursor()

    def set_aside(self, number: int, reason: str) -> None:
        """Passes over a record that the store refuses, so that it does not hold up the others; it stays on disk."""
        with self._guard:
            self._aside[number] = reason
            self._delivered = max(self._delivered, number)
        self._save_cursor()

    def recall(self) -> None:
        """Takes back what was set aside, for another attempt."""
        with self._guard:
            self._aside.clear()

    def refusals(self) -> list[str]:
        """Returns why records were set aside."""
        with self._guard:
            return list(self._aside.values())

    def stage(self) -> Path:
        """Returns a new folder for copies of files; a record that names it in `staged` owns it."""
        folder = self.folder / "files" / uuid.uuid4().hex[:12]
        folder.mkdir(parents=True)
        return folder

    def close(self) -> None:
        """Gives the journal up; it stays on disk for another process."""
        with self._guard:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
        self._lock.release()

    def remove(self) -> None:
        """Deletes the journal, whose every record the store has, and gives it up."""
        folder = self.folder.with_name(f"{REMOVED}{uuid.uuid4().hex[:12]}")
        try:
            # Whoever looks at the outbox meanwhile finds the journal whole or not at all.
            self.folder.rename(folder)
        except OSError:
            folder = self.folder
        for _ in range(_MAX_ATTEMPTS):
            shutil.rmtree(folder, ignore_errors=True)
            # Who was about to take the lock when the folder was renamed may have put the lock's file there again.
            if not folder.exists():
                break
        self.close()

    def _check_presence(self) -> None:
        path = self.folder / "journal.jsonl"
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))

    def _note(self, record: Record) -> None:
        if "uri" in record:
            self.header = record
        elif record["kind"] in ("finish", "reopen"):
            self.finished = record["kind"] == "finish"

    def _write(self) -> None:
        """Writes what is not yet on disk; on failure it stays in memory and is tried again with the next record."""
        self._unwritten = [record for record in self._unwritten if record["number"] in self._pending]
        try:
            if self._descriptor is None:
                raise self._error
            if os.fstat(self._descriptor).st_size != self._size:
                os.ftruncate(self._descriptor, self._size)  # What an interrupted or refused write has left behind.
            while self._unwritten:
                line = json.dumps(self._unwritten[0], default=str).encode() + b"\n"
                _write_all(self._descriptor, line)
                self._size += len(line)
                self._unwritten.pop(0)
        except OSError as error:
            if not self._warned:
                self._warned = True
                _log.warning(
                    "The journal %s cannot be written (%s). The run goes on and what it logs is kept in memory until "
                    "the tracking store has it; free some disk space.", self.folder, error.strerror or error,
                )  # fmt: skip

    def _save_cursor(self) -> None:
        with self._guard:
            aside = {str(key): value for key, value in self._aside.items()}
            # A later one may be confirmed first, such as the header of a store that has moved.
            waiting = min((number for number in self._pending if number not in self._aside), default=self._last + 1)
            delivered = min(self._delivered, waiting - 1)
            state = {"delivered": delivered, "aside": aside, "run_id": self._created_id, "gone": self.gone}
        # A cursor that cannot be written is harmless: delivering a record twice changes nothing.
        with contextlib.suppress(OSError):
            draft = self.folder / "cursor.new"
            draft.write_text(json.dumps(state), encoding="utf-8")
            draft.replace(self.folder / "cursor.json")

    def read(self) -> None:
        """Reads what is on disk, without the lock: for looking only.

        Raises:
            OSError: It cannot be read.
        """
        cursor = read_cursor(self.folder)
        self._created_id = str(cursor.get("run_id", ""))
        self._delivered = int(cursor.get("delivered", 0))
        self.gone = bool(cursor.get("gone"))
        self._aside = {int(key): str(value) for key, value in cursor.get("aside", {}).items()}
        path = self.folder / "journal.jsonl"
        content = path.read_bytes() if path.exists() else b""
        self._size = content.rfind(b"\n") + 1
        for line in content[: self._size].splitlines():
            try:
                record: Record = json.loads(line)
                number = int(record["number"])
            except (ValueError, KeyError, TypeError):
                _log.warning("A damaged line in %s is passed over.", path)
                continue
            self._last = max(self._last, number)
            self._note(record)
            self.left_at = int(record.get("time", 0)) or None
            if number > self._delivered or number in self._aside:
                self._pending[number] = record
        self._last = max(self._last, self._delivered)


def _write_all(descriptor: int, line: bytes) -> None:
    while line:
        line = line[os.write(descriptor, line) :]


def read_cursor(folder: Path) -> dict[str, Any]:
    """Returns what the cursor of a journal's folder says, without a lock; nothing if there is none."""
    try:
        cursor = json.loads((folder / "cursor.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cursor if isinstance(cursor, dict) else {}
