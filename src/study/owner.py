"""The owner of a trial: the process that has asked for it and will tell what became of it."""

from __future__ import annotations

import functools
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

#: Seconds by which a process's start may seem to move when the machine's clock is set.
_CLOCK_SECONDS = 5.0

#: Linux's first namespace of process ids, that of a machine as opposed to a container.
_FIRST_NAMESPACE = "pid:[4026531836]"


@dataclass(frozen=True)
class Owner:
    """The owner of a trial.

    Attributes:
        host: Name of its machine, with the container's process namespace where it runs in one.
        pid: Its process id there.
        started: When the process began, in seconds since 1970: process ids are used again.
    """

    host: str
    pid: int
    started: float

    @classmethod
    def current(cls) -> Owner:
        """Returns this process as an owner."""
        return _describe(os.getpid())

    @classmethod
    def from_dict(cls, data: Any) -> Owner | None:
        """Rebuilds what `to_dict` returned; None where that is no owner."""
        try:
            return cls(str(data["host"]), int(data["pid"]), float(data["started"]))
        except (KeyError, TypeError, ValueError):
            return None

    def to_dict(self) -> dict[str, Any]:
        """Returns it as plain values."""
        return asdict(self)

    @property
    def is_here(self) -> bool:
        """Whether it is a process of this machine, or of this container."""
        return self.host == _name_host()

    @property
    def is_dead(self) -> bool:
        """Whether it is a process of this machine that has ended; of other machines this is not known."""
        if not self.is_here or self == Owner.current():
            return False
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started) > _CLOCK_SECONDS:
                return True
            return bool(process.status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False


@functools.cache
def _describe(pid: int) -> Owner:
    # Once: a process seems to have begun at another time when the machine's clock is set, and must know itself then.
    return Owner(_name_host(), pid, psutil.Process(pid).create_time())


def _name_host() -> str:
    # Containers may share the machine's name, but not its process ids.
    host = socket.gethostname()
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return host
    return host if namespace == _FIRST_NAMESPACE else f"{host} {namespace}"
