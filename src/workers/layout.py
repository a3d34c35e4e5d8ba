"""The layout of a machine's worker processes: how many slots, which GPU and how many threads each has."""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from src.errors import ConfigError
from src.gpus.inventory import find_gpu, read_gpus
from src.gpus.lease import Lease, leave_context
from src.workers.gpus import find_gpus

#: Variables that limit the threads of TensorFlow and of what NumPy computes with; read at their import.
_THREAD_VARIABLES = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")

#: How the processes on a GPU may share its memory.
_GPU_MEMORY = ("share", "grow")

#: What can be loaded ahead of a job.
_LOADABLE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*(:[^\W\d]\w*)?")


_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Layout:
    """How worker processes are laid out.

    Attributes:
        environments: For each slot the environment variables of its processes.
        leases: For each slot what its processes have of which GPU; None for one without.
        reuse: Whether a process takes one job after the other; otherwise each job gets one of its own.
        preload: What a process imports before it is given a job: modules, or functions as `module:function`.
        memory_limit_gb: Memory that a process may ask for, in 10^9 bytes; None is no limit.
        capture: Whether what a job prints goes to a file in its folder.
    """

    environments: tuple[dict[str, str], ...]
    leases: tuple[Lease | None, ...]
    reuse: bool
    preload: tuple[str, ...] = field(default=())
    memory_limit_gb: float | None = None
    capture: bool = True

    @property
    def slots(self) -> int:
        """Jobs that run at a time."""
        return len(self.environments)


def plan_layout(
    *,
    n_jobs: Any = "auto",
    gpus: Any = "auto",
    trials_per_gpu: Any = 1,
    gpu_memory: Any = "share",
    reuse: Any = "auto",
    threads: Any = "auto",
    preload: Any = (),
    memory_limit_gb: Any = None,
    capture: Any = True,
) -> Layout:
    """Lays out the processes of this machine as `hydra.launcher` asks for.

    Raises:
        ConfigError: A value is not allowed, or there are not so many GPUs.
    """
    found = find_gpus(gpus)
    _check_number("n_jobs", n_jobs, or_auto=True)
    _check_number("trials_per_gpu", trials_per_gpu)
    _check_number("threads", threads, or_auto=True)
    if gpu_memory not in _GPU_MEMORY:
        raise ConfigError(f"hydra.launcher.gpu_memory must be {' or '.join(_GPU_MEMORY)}, but got {gpu_memory!r}.")
    _check_memory(memory_limit_gb)
    _check_preload(preload)
    # 1 is no True here, though it equals it.
    if reuse != "auto" and not isinstance(reuse, bool):
        raise ConfigError(f"hydra.launcher.reuse must be auto, true or false, but got {reuse!r}.")
    if not isinstance(capture, bool):
        raise ConfigError(f"hydra.launcher.capture must be true or false, but got {capture!r}.")
    # All GPUs get their first job before one gets its second.
    places = [gpu for _ in range(trials_per_gpu) for gpu in found]
    slots = count_slots(n_jobs, len(found), trials_per_gpu)
    shared = _share_threads(threads, slots)
    # Who asks for no GPU on a machine that has some must not get one all the same.
    none = {"CUDA_VISIBLE_DEVICES": "-1"} if gpus != "auto" else {}
    leases = _lease(places[:slots], limited=gpu_memory == "share") if found else (None,) * slots
    environments = tuple((none if lease is None else lease.to_environment()) | shared for lease in leases)
    keep = not found if reuse == "auto" else reuse
    return Layout(environments, leases, keep, tuple(preload), memory_limit_gb, capture)


def count_slots(n_jobs: Any, num_gpus: int, trials_per_gpu: int) -> int:
    """Returns how many jobs run at a time on so many GPUs.

    Raises:
        ConfigError: They do not fit there.
    """
    places = num_gpus * trials_per_gpu
    slots = max(1, places) if n_jobs == "auto" else int(n_jobs)
    if num_gpus and slots > places:
        raise ConfigError(
            f"{slots} jobs at a time do not fit on {num_gpus} GPUs with {trials_per_gpu} on each: set "
            f"hydra.launcher.trials_per_gpu={-(-slots // num_gpus)}, or hydra.launcher.n_jobs={places}."
        )
    return slots


def _lease(devices: Sequence[str], *, limited: bool) -> tuple[Lease, ...]:
    """Returns the lease of each slot, given its GPU.

    Where slots share a GPU, each is limited to its share, and takes it at its start. Memory that grows as it is needed
    would go to who comes first, and a trial that needs a little more in its second epoch would find it gone.
    """
    known, leases = read_gpus(), []
    for device in devices:
        gpu, tenants = find_gpu(device, known), devices.count(device)
        total = None if gpu is None else gpu.memory_bytes
        limit = leave_context(total // tenants) if limited and total is not None and tenants > 1 else None
        leases.append(Lease(device, tenants, limit, gpu))
    if limited:
        _warn_of_unknown_sizes(leases)
    return tuple(leases)


def _warn_of_unknown_sizes(leases: Sequence[Lease]) -> None:
    devices = dict.fromkeys(lease.device for lease in leases if lease.shared and lease.limit_bytes is None)
    if devices:
        _log.warning(
            "The driver does not say how much memory GPU %s has. The trials that share it have no share of their own "
            "there: each takes memory as it needs it, and one may be starved by another.",
            ", ".join(devices),
        )


def _share_threads(threads: Any, slots: int) -> dict[str, str]:
    """Returns the variables that keep several processes from having as many threads each as there are cores.

    What the user has set of them stays, unless `hydra.launcher.threads` is a number. A training on fewer threads gives
    other last digits, so trials that are to be compared to the last digit have to run in as many slots.
    """
    if threads != "auto":
        return dict.fromkeys(_THREAD_VARIABLES, str(threads))
    if slots == 1:
        return {}
    share = max(1, len(os.sched_getaffinity(0)) // slots)
    return {name: str(share) for name in _THREAD_VARIABLES if name not in os.environ}


def _check_number(name: str, value: Any, *, or_auto: bool = False) -> None:
    if or_auto and value == "auto":
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        allowed = "auto or a number" if or_auto else "a number"
        raise ConfigError(f"hydra.launcher.{name} must be {allowed} of at least 1, but got {value!r}.")


def _check_memory(value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ConfigError(f"hydra.launcher.memory_limit_gb must be a number or null, but got {value!r}.")
    if not 0 < value < math.inf:
        raise ConfigError(f"hydra.launcher.memory_limit_gb must be greater than 0 and finite, but got {value:g}.")


def _check_preload(names: Any) -> None:
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise ConfigError(f"hydra.launcher.preload must be a list such as [numpy], but got {names!r}.")
    wrong = [name for name in names if not isinstance(name, str) or not _LOADABLE.fullmatch(name)]
    if wrong:
        raise ConfigError(
            "hydra.launcher.preload must list modules, or functions as module:function, but got "
            f"{', '.join(map(repr, wrong))}."
        )
