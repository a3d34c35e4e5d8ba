"""Who else uses the memory of a GPU: processes that are none of ours leave a job less than its share."""

from __future__ import annotations

import logging
import threading
import time

import psutil

from src.errors import ConfigError
from src.gpus.inventory import Gpu, GpuProcess, find_gpu, read_gpus, read_processes
from src.gpus.lease import Lease

#: How often a GPU is looked at: asking the driver takes a part of a second, for which a job would wait.
_INTERVAL_SECONDS = 60.0

_log = logging.getLogger(__name__)


class Neighbours:
    """Looks before each job whether its GPU has as much free memory as its share, and says once who has it.

    The job begins all the same. Who has the memory may keep it all night, while a training may need less than its
    share; and one that finds too little has failed within minutes, with a reason that stands below this one.
    """

    def __init__(self) -> None:
        """Has looked at nothing yet."""
        self._guard = threading.Lock()
        self._looked: dict[str, float] = {}
        self._told: set[tuple[str, int]] = set()

    def look(self, lease: Lease) -> None:
        """Warns if processes of others leave too little memory; at most once a minute, and once of each process."""
        with self._guard:
            last = self._looked.get(lease.device)
            if lease.needed_bytes is None or (last is not None and time.monotonic() - last < _INTERVAL_SECONDS):
                return
            self._looked[lease.device] = time.monotonic()
        # A driver that takes its time keeps no trial on another GPU waiting.
        warning = self._find(lease)
        if warning is not None:
            _log.warning("%s", warning)

    def _find(self, lease: Lease) -> str | None:
        try:
            gpu = find_gpu(lease.device, read_gpus())
            if gpu is None or not is_short(gpu, lease):
                return None
            others = find_others(read_processes().get(gpu.uuid, []))
        except ConfigError:
            # Of GPUs that are made up; the layout has said it, unless the file has changed since.
            return None
        with self._guard:
            news = {(gpu.uuid, process.pid) for process in others} - self._told
            self._told |= news
        return describe_shortage(gpu, lease, others) if news else None


def is_short(gpu: Gpu, lease: Lease) -> bool:
    """Returns whether a GPU has less free memory than a lease needs, as far as that is known."""
    if gpu.memory_bytes is None or gpu.used_bytes is None or lease.needed_bytes is None:
        return False
    return gpu.memory_bytes - gpu.used_bytes < lease.needed_bytes


def find_others(processes: list[GpuProcess]) -> list[GpuProcess]:
    """Returns the processes that are neither this one nor of its making."""
    me = psutil.Process()
    ours = {me.pid, *(child.pid for child in me.children(recursive=True))}
    return [process for process in processes if process.pid not in ours]


def describe_shortage(gpu: Gpu, lease: Lease, others: list[GpuProcess]) -> str:
    """Returns who uses a GPU's memory, how much is free, how much a job is to have, and what will be done."""
    assert gpu.memory_bytes is not None
    assert gpu.used_bytes is not None
    free, needed = gpu.memory_bytes - gpu.used_bytes, lease.needed_bytes or 0
    return (
        f"GPU {gpu.describe()} has {free / 1e9:.1f} GB free, less than the {needed / 1e9:.1f} GB that a trial "
        f"is to have there ({lease.describe_share()}). It is used by {'; '.join(map(_describe, others))}. "
        "Trials go on, and may run out of memory: end it, or leave the GPU out with hydra.launcher.gpus."
    )


def _describe(process: GpuProcess) -> str:
    size = "" if process.used_bytes is None else f", {process.used_bytes / 1e9:.1f} GB"
    if not psutil.pid_exists(process.pid):
        # In a container the driver tells numbers that hold outside.
        return f"{process.name} (process {process.pid}{size}; not to be found from here, and maybe one of ours)"
    try:
        owner = f" of {psutil.Process(process.pid).username()}"
    except (psutil.Error, KeyError):
        owner = ""
    return f"{process.name}{owner} (process {process.pid}{size})"
