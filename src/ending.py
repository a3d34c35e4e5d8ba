"""The states in which runs and trials end: in words, by the error that ended them, and as MLflow's statuses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from src.alarm import has_rung
from src.errors import DivergedError, TrialTimeoutError
from src.gpus.lease import Lease

COMPLETE = "complete"
PRUNED = "pruned"
DIVERGED = "diverged"
FAILED = "failed"
OOM = "oom"
TIMEOUT = "timeout"
LOST = "lost"
INTERRUPTED = "interrupted"

#: MLflow's status of a run by its `fitgap.state`.
STATUSES = {
    COMPLETE: "FINISHED",
    PRUNED: "KILLED",
    DIVERGED: "FAILED",
    FAILED: "FAILED",
    OOM: "FAILED",
    TIMEOUT: "FAILED",
    LOST: "KILLED",
    INTERRUPTED: "KILLED",
}

#: Name of an exception's class, or of one that it extends: the state it stands for. Classes of libraries are known by
#: name alone, so that nobody who names a state has to import TensorFlow, PyTorch or Optuna.
_STATES = {
    KeyboardInterrupt.__name__: INTERRUPTED,
    DivergedError.__name__: DIVERGED,
    TrialTimeoutError.__name__: TIMEOUT,
    MemoryError.__name__: OOM,
    "ResourceExhaustedError": OOM,
    "OutOfMemoryError": OOM,
    "TrialPruned": PRUNED,
}

#: What CUDA and its libraries say of want of memory, in errors whose class says something else.
_MEMORY_SIGNS = re.compile(
    r"CUDA_ERROR_OUT_OF_MEMORY|CU(DNN|BLAS)_STATUS_ALLOC_FAILED|RESOURCE_EXHAUSTED"
    # TensorFlow of a batch that it could not copy to the GPU, and of a GPU on which there is no room to begin.
    r"|Dst tensor is not initialized|[Ss]tatus: out of memory"
)

#: What they say where there is no room for their own beginning, or where they are broken.
_SIGNS_OF_NO_ROOM = re.compile(r"CU(DNN|BLAS)_STATUS_NOT_INITIALIZED|DNN library initialization failed")


def name_state(error: BaseException) -> str:
    """Returns the state of a run that an exception ended; what caused the exception counts as well.

    Where others have a share of this process's GPU, what may mean want of memory is taken for it.
    """
    lease = Lease.current()
    crowded = lease is not None and lease.shared
    for link in _follow_causes(error):
        for kind in type(link).__mro__:
            if kind.__name__ in _STATES:
                return _STATES[kind.__name__]
        if _MEMORY_SIGNS.search(str(link)) or (crowded and _SIGNS_OF_NO_ROOM.search(str(link))):
            return OOM
    # Libraries turn what is raised within their callbacks into errors of their own.
    return TIMEOUT if has_rung() else FAILED


def describe_exception(error: BaseException) -> str:
    """Returns an exception in one line: its class and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _follow_causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__
