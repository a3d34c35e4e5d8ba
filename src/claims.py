"""Claims on GPUs: which sweep has which, which scheduled ones wait for them, and whose turn it is.

Each claim is a file that its process holds a lock on, and says what it claims. The lock ends with the last process that
has the file open, however that comes about: a claim whose file nobody locks any more counts for nothing, and whoever
looks next removes it. A second lock lets one process at a time look and change something.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from filelock import BaseFileLock, FileLock

from src.clock import local_now
from src.errors import StorageError

#: Seconds for which another process may look at the claims before something is wrong with it.
_GUARD_SECONDS = 60
#: What a sweep claims that uses no GPU: two of them are in each other's way.
CPU = "cpu"


@dataclass(frozen=True)
class Claim:
    """A sweep's claim on GPUs.

    Attributes:
        sweep: The sweep's name.
        root: The checkout that it belongs to.
        devices: What it has, or waits for; None is everything.
        count: How many GPUs it waits for, where it does not matter which.
        priority: Of several that wait, the highest goes first.
        running: Whether it has them; else it waits.
        since: When it began to wait, or to run, in ISO 8601.
        until: When it ends, where something limits it.
        ticket: What tells it from every other, and orders those of one priority.
        pid: Its process.
        host: Its machine.
        by_hand: Whether somebody has started it, who may have several share a GPU.
    """

    sweep: str
    root: str
    devices: tuple[str, ...] | None
    count: int | None = None
    priority: int = 0
    running: bool = False
    since: str = ""
    until: str | None = None
    ticket: int = 0
    pid: int = 0
    host: str = ""
    by_hand: bool = False

    def overlaps(self, other: Claim) -> bool:
        """Whether both cannot run at a time: they share a device or are the same sweep, and one is scheduled."""
        if self.by_hand and other.by_hand:
            return False
        if (self.sweep, self.root) == (other.sweep, other.root) or self.devices is None or other.devices is None:
            return True
        return bool(set(self.devices) & set(other.devices))

    def describe(self) -> str:
        """Returns who it is and since when, as the end of a sentence that begins with what it does."""
        end = f", until {_clock(self.until)}" if self.until else ""
        verb = "since" if self.running else "waiting since"
        return f"{self.sweep} of {self.root} (process {self.pid} on {self.host}, {verb} {_clock(self.since)}{end})"

    def name_devices(self) -> str:
        """Returns what it claims, in words."""
        if self.count is not None:
            return f"{self.count} GPUs"
        if self.devices is None:
            return "all GPUs"
        return "no GPU" if self.devices == (CPU,) else f"GPU {', '.join(self.devices)}"


class HeldClaim:
    """A claim of this process, whose lock it holds.

    Attributes:
        claim: The claim.
        path: Its file.
        descriptor: The open file; a process that inherits it holds the claim too.
    """

    def __init__(self, claim: Claim, path: Path, descriptor: int, guard: BaseFileLock) -> None:
        """Takes a file that is locked already, and the lock of who looks at claims or changes them."""
        self.claim = claim
        self.path = path
        self.descriptor = descriptor
        self._guard = guard

    def write(self, claim: Claim) -> None:
        """Replaces what the file says.

        Raises:
            OSError: It cannot be written.
        """
        content = json.dumps(asdict(claim)).encode()
        with self._guard.acquire(timeout=_GUARD_SECONDS):
            # Over what is there, with spaces for what is longer: it can be read whenever this process is killed, and
            # a disk that is full has the room already.
            padded = content.ljust(os.fstat(self.descriptor).st_size)
            if os.pwrite(self.descriptor, padded, 0) < len(padded):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            os.ftruncate(self.descriptor, len(content))
        self.claim = claim


class ClaimBook:
    """All claims of a machine."""

    def __init__(self, folder: Path) -> None:
        """Takes the folder in which they lie; it is made where it is missing.

        Raises:
            StorageError: It cannot be made or written to.
        """
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"The folder of the locks on GPUs, {folder}, cannot be made: {error.strerror}. Choose another "
                "one with FITGAP_CLAIMS_DIR."
            ) from error
        self._guard = FileLock(folder / ".guard")

    def read(self) -> list[Claim]:
        """Returns all living claims: those that run first, then those that wait, in the order of their turn."""
        with self._alone():
            return self._read()

    def place(self, claim: Claim) -> HeldClaim:
        """Places a claim that waits from now on.

        Raises:
            OSError: It cannot be written; nothing is left of it.
        """
        claim = replace(
            claim,
            running=False,
            since=local_now().isoformat(timespec="seconds"),
            ticket=time.time_ns(),
            pid=os.getpid(),
            host=platform.node(),
        )
        path = self.folder / f"{claim.pid}-{claim.ticket}.json"
        with self._alone():
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                held = HeldClaim(claim, path, descriptor, self._guard)
                held.write(claim)
            except BaseException:
                os.close(descriptor)
                path.unlink()
                raise
        return held

    def grant(self, held: HeldClaim, gpus: Sequence[str], until: str | None) -> list[Claim]:
        """Lets a waiting claim run if nothing is in its way, and returns what is.

        What runs is in its way, and so is what waits and has its turn before: otherwise a sweep that needs all GPUs
        would wait for ever while others take one after the other.

        Args:
            held: The claim.
            gpus: The machine's GPUs, of which a claim on a number of them gets those that are free.
            until: When it will end.
        """
        claim = held.claim
        with self._alone():
            ahead = [
                other
                for other in self._read()
                if other.ticket != claim.ticket and (other.running or _turn(other) < _turn(claim))
            ]
            devices = claim.devices
            blocking = [other for other in ahead if claim.overlaps(other)]
            if claim.count is not None:
                # Which GPUs it gets is open: only what leaves too few of them is in its way.
                taken = {device for other in ahead for device in other.devices or gpus}
                free = [gpu for gpu in gpus if gpu not in taken]
                devices = tuple(free[: claim.count])
                same = [other for other in ahead if (other.sweep, other.root) == (claim.sweep, claim.root)]
                blocking = same or ([] if len(devices) == claim.count else ahead)
            if not blocking:
                since = local_now().isoformat(timespec="seconds")
                held.write(replace(claim, devices=devices, count=None, running=True, since=since, until=until))
            return blocking

    def take(self, claim: Claim, gpus: Sequence[str], until: str | None) -> tuple[HeldClaim | None, list[Claim]]:
        """Places a claim that runs at once; where something is in its way, nobody has seen it wait.

        Args:
            claim: The claim.
            gpus: The machine's GPUs, as for `grant`.
            until: When it will end.

        Returns:
            The claim, or None; and what is in its way.

        Raises:
            OSError: It cannot be written; nothing is left of it.
        """
        with self._alone():
            held = self.place(claim)
            try:
                blocking = self.grant(held, gpus, until)
            except BaseException:
                self.release(held)
                raise
            if not blocking:
                return held, []
            self.release(held)
            return None, blocking

    def read_others(self, held: HeldClaim) -> list[Claim]:
        """Returns all living claims but this one."""
        return [claim for claim in self.read() if claim.ticket != held.claim.ticket]

    def has_inherited(self) -> bool:
        """Returns whether this process has a claim that the one which has started it holds."""
        opened = {_identify(int(path.name)) for path in Path("/dev/fd").iterdir()} - {None}
        with self._alone():
            return any(_identify(path) in opened for path in self.folder.glob("*.json"))

    def release(self, held: HeldClaim) -> None:
        """Takes a claim back; a process that has inherited it keeps it until it ends."""
        with self._alone():
            os.close(held.descriptor)
            self._read()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with self._guard.acquire(timeout=_GUARD_SECONDS):
            yield

    def _read(self) -> list[Claim]:
        claims = [claim for path in self.folder.glob("*.json") if (claim := _look(path)) is not None]
        return sorted(claims, key=lambda claim: (not claim.running, _turn(claim)))


def _identify(file: int | Path) -> tuple[int, int] | None:
    """Returns what tells an open file, or one at a path, from all others; None where it is gone."""
    try:
        status = os.fstat(file) if isinstance(file, int) else file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _look(path: Path) -> Claim | None:
    """Returns what a file claims; None where nobody holds it any more, and then it is removed."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_claim(path)
    else:
        path.unlink()
        return None
    finally:
        os.close(descriptor)


def _read_claim(path: Path) -> Claim:
    """Returns what a file claims; one that cannot be read claims everything, as long as somebody holds it."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        values["devices"] = None if values["devices"] is None else tuple(values["devices"])
        return Claim(**values)
    except (ValueError, TypeError, KeyError):
        pid, _, ticket = path.stem.partition("-")
        if not (pid.isdecimal() and ticket.isdecimal()):
            pid = ticket = "0"
        return Claim(f"unreadable {path}", "?", None, running=True, ticket=int(ticket), pid=int(pid), host="?")


def _turn(claim: Claim) -> tuple[int, int]:
    return -claim.priority, claim.ticket


def _clock(moment: str | None) -> str:
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M}" if moment else "?"
