"""The inside of a worker process: how it is made ready, and how it runs one Hydra job."""

from __future__ import annotations

import importlib
import os
import resource
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobStatus, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict
from omegaconf.basecontainer import BaseContainer

#: Name of the file in a job's folder that takes what it prints.
OUTPUT_FILE = "output.log"

#: How often a worker looks whether its parent is still there.
_WATCH_SECONDS = 0.5


@dataclass(frozen=True)
class Errand:
    """What all jobs of a launcher have in common; sent to a worker once.

    Attributes:
        context: Hydra's context.
        task_function: What each job calls.
        config: The configuration of the multirun.
        singletons: Hydra's global state.
        resolvers: OmegaConf's resolvers, which are no part of it.
    """

    context: HydraContext
    task_function: TaskFunction
    config: DictConfig
    singletons: Any
    resolvers: dict[str, Any]

    @classmethod
    def collect(cls, context: HydraContext, task_function: TaskFunction, config: DictConfig) -> Errand:
        """Adds to what a launcher was given what is global in this process."""
        return cls(context, task_function, config, Singleton.get_state(), dict(BaseContainer._resolvers))

    def install(self) -> None:
        """Makes this process's globals those of the process that collected them."""
        setup_globals()
        Singleton.set_state(self.singletons)
        for name, resolver in self.resolvers.items():
            BaseContainer._resolvers.setdefault(name, resolver)


_errand: Errand | None = None
_note: Path | None = None
_unready: str | None = None


def start_worker(
    errand: bytes,
    environment: dict[str, str],
    preload: Sequence[str],
    memory_limit_gb: float | None,
    note: str,
    parent: int,
) -> None:
    """Makes a new process ready for its first job, as far as that is possible without it.

    Args:
        errand: A pickled `Errand`.
        environment: Variables to set before anything is imported.
        preload: Modules to import, or functions to call, as `module:function`.
        memory_limit_gb: Memory that the process may ask for; None is no limit.
        note: File in which it writes where the output of its job goes.
        parent: The process without which it shall not live.
    """
    global _errand, _note, _unready
    os.environ.update(environment)
    # Ctrl-C reaches the parent alone, which decides what becomes of the running jobs.
    os.setsid()
    threading.Thread(target=_watch_parent, args=(parent,), name="fitgap-watchdog", daemon=True).start()
    _note = Path(note)
    try:
        if memory_limit_gb is not None:
            limit_memory(memory_limit_gb)
        _errand = cloudpickle.loads(errand)
        assert _errand is not None
        _errand.install()
        for name in preload:
            _load(name)
    except BaseException:
        # A process that ends here would be replaced by the next one that ends here; so the job will say it.
        _unready = traceback.format_exc()


def limit_memory(gigabytes: float) -> None:
    """Has this process raise MemoryError instead of taking more memory.

    The limit is on data (RLIMIT_DATA), not on addresses (RLIMIT_AS): TensorFlow and CUDA reserve far more addresses
    than they ever use.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (int(gigabytes * 1e9), int(gigabytes * 1e9)))


def work(overrides: Sequence[str], number: int) -> bytes:
    """Runs one job and returns its `JobStatus` and what it returned or raised, pickled.

    Raises:
        RuntimeError: The process could not be made ready.
    """
    if _unready is not None or _errand is None or _note is None:
        raise RuntimeError(f"The worker process could not be made ready:\n{_unready}")
    config = _errand.context.config_loader.load_sweep_config(_errand.config, list(overrides))
    with open_dict(config):
        config.hydra.job.id = f"job_id_for_{number}"
        config.hydra.job.num = number
    HydraConfig.instance().set_config(config)
    output = Path(config.hydra.sweep.dir) / str(config.hydra.sweep.subdir) / OUTPUT_FILE
    output.parent.mkdir(parents=True, exist_ok=True)
    _note.write_text(str(output.absolute()), encoding="utf-8")
    with _printed_to(output):
        try:
            result = run_job(
                hydra_context=_errand.context,
                task_function=_errand.task_function,
                config=config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
            status, value = result.status, result._return_value
        except (SystemExit, KeyboardInterrupt) as error:
            status, value = JobStatus.FAILED, RuntimeError(f"The job ended itself with {error!r}.")
    return _pack(status, value)


def _pack(status: JobStatus, value: Any) -> bytes:
    """Pickles a job's result, or where that cannot be done or undone an error that says so."""
    try:
        packed = cloudpickle.dumps((status, value))
        cloudpickle.loads(packed)
        return bytes(packed)
    except Exception as error:
        if status is JobStatus.COMPLETED:
            text = f"The job's return value, a {type(value).__name__}, cannot be sent to the parent: {error}"
        else:
            text = f"{type(value).__name__}: {value}\n{''.join(traceback.format_exception(value))}"
        return bytes(cloudpickle.dumps((JobStatus.FAILED, RuntimeError(text))))


def _load(name: str) -> None:
    module, _, function = name.partition(":")
    loaded = importlib.import_module(module)
    if function:
        getattr(loaded, function)()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    # The parent was killed: nobody would take the result, and the one who goes on with its work will run the job again.
    os._exit(1)


@contextmanager
def _printed_to(path: Path) -> Iterator[None]:
    """Sends what the process prints to a file, also what libraries in C++ write to the file descriptors themselves."""
    streams = (sys.stdout, sys.stderr)
    for stream in streams:
        stream.flush()
    kept = [os.dup(1), os.dup(2)]
    with path.open("ab", buffering=0) as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    try:
        yield
    finally:
        for stream in streams:
            stream.flush()
        for descriptor, original in zip((1, 2), kept, strict=True):
            os.dup2(original, descriptor)
            os.close(original)
