"""What is said of a job whose process died or was killed."""

from __future__ import annotations

import re
import signal
from enum import Enum
from pathlib import Path

from src.workers.errors import JobTimeoutError, WorkerDiedError, describe_exit, quote_output
from src.workers.note import Note
from src.workers.output import read_tail

#: Lines of a dead job's output that its error repeats.
_TAIL_LINES = 20
#: How Python's fault handler begins; what follows is the stack, the innermost call first.
_CRASH = "Fatal Python error: "
#: What libraries print when memory runs out, shortly before they abort the process.
_MEMORY_SIGNS = re.compile(r"std::bad_alloc|resource[ _]exhausted|out[ _]of[ _]memory|MemoryError", re.IGNORECASE)


class Cause(Enum):
    """Why a job has no result."""

    DIED = "died"
    TIMEOUT = "timeout"
    STOPPED = "stopped"


class WorkerLost(Exception):
    """A job's process is gone, and its result with it.

    Attributes:
        cause: Why.
        note: What the process had noted of the job; None where the job had not begun.
        pid: The process, where one is known.
        exitcode: How it ended, where that is known.
        log: File that takes what the process prints while it has no job.
    """

    def __init__(
        self, cause: Cause, note: Note | None, *, pid: int | None, exitcode: int | None, log: Path | None
    ) -> None:
        """Takes what is known."""
        super().__init__(cause.value)
        self.cause = cause
        self.note = note
        self.pid = pid
        self.exitcode = exitcode
        self.log = log

    def explain(self, *, kernel_kills: int = 0, limit: float | None = None) -> WorkerDiedError | JobTimeoutError:
        """Returns the error that the job ended with.

        Args:
            kernel_kills: How many processes the kernel has killed for want of memory since the job was given away.
            limit: Seconds that the job was allowed.
        """
        path, lines = self._read_output()
        lines = _shorten(lines)
        printed = quote_output(path, "\n".join(lines))
        if self.cause is Cause.TIMEOUT:
            return JobTimeoutError(
                f"The job was killed after {limit or 0:g} seconds: it did not end when its time was over.{printed}",
                pid=self.pid,
            )
        if self.cause is Cause.STOPPED:
            return WorkerDiedError(
                "The job was killed since all workers were stopped.", pid=self.pid, exitcode=self.exitcode
            )
        killed = self.exitcode == -signal.SIGKILL and kernel_kills > 0
        memory = killed or any(_MEMORY_SIGNS.search(line) for line in lines)
        process = f"worker process {self.pid}" if self.pid is not None else "worker process"
        what = "The" if self.note is not None else "The job could not begin: the"
        return WorkerDiedError(
            f"{what} {process} {describe_exit(self.exitcode)}{'; memory had run out' if memory else ''}.{printed}",
            pid=self.pid,
            exitcode=self.exitcode,
            out_of_memory=memory,
        )

    def _read_output(self) -> tuple[Path | None, list[str]]:
        if self.note is not None and self.note.output is not None:
            return Path(self.note.output), read_tail(Path(self.note.output), self.note.offset)
        return self.log, [] if self.log is None else read_tail(self.log)


def _shorten(lines: list[str]) -> list[str]:
    """Returns the last lines; where Python added where it was when it crashed, those before that and its innermost."""
    for index in reversed(range(len(lines))):
        if lines[index].startswith(_CRASH):
            half = _TAIL_LINES // 2
            return [*lines[max(0, index - half) : index], *lines[index : index + half]]
    return lines[-_TAIL_LINES:]


def count_kernel_kills() -> int:
    """Returns how many processes of this container the kernel has killed for want of memory, where it tells."""
    for path in _name_counters():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    return 0


def _name_counters() -> list[Path]:
    """Returns where the kernel may count, the first that exists being right: this process's own group, or the root."""
    try:
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    root = Path("/sys/fs/cgroup")
    counters = []
    for line in groups:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            counters += [root / group.lstrip("/") / "memory.events", root / "memory.events"]
        elif "memory" in controllers.split(","):
            counters += [root / "memory" / group.lstrip("/") / "memory.oom_control", root / "memory/memory.oom_control"]
    return counters
