"""The inside of a worker process: how it is made ready, and how it runs one Hydra job."""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import functools
import gc
import importlib
import io
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, run_job
from hydra.types import TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from src.config.repository import share_structured_configs
from src.workers.answer import pack_answer, pack_failure, pack_value
from src.workers.errand import Errand, unpack_call, unpack_errand
from src.workers.errors import JobExitError, WorkerStartError
from src.workers.note import Note
from src.workers.output import flush_output, print_to

#: Name of the file in a job's folder that takes what it prints.
OUTPUT_FILE = "output.log"

#: How often a worker looks whether its parent is still there.
_WATCH_SECONDS = 0.5

_errand: Errand | None = None
_problem: BaseException | None = None


def start_worker(errand: bytes, preload: Sequence[str], memory_limit_gb: float | None, folder: str) -> None:
    """Makes a new process ready for its first job, as far as that is possible without it.

    Args:
        errand: A packed `Errand`.
        preload: Modules to import, or functions to call, as `module:function`.
        memory_limit_gb: Memory that the process may ask for; None is no limit.
        folder: Folder for files of all workers, which the last ones remove if the parent cannot.
    """
    global _errand, _problem
    signal.signal(signal.SIGTERM, _leave)
    faulthandler.enable(all_threads=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a job printed before it was killed shall be found.
        sys.stdout.reconfigure(line_buffering=True)
    threading.Thread(target=_watch_parent, args=(folder,), name="fitgap-watchdog", daemon=True).start()
    try:
        if memory_limit_gb is not None:
            limit_memory(memory_limit_gb)
        # What is imported stays for good, and need not be looked through for garbage, now or between jobs.
        gc.disable()
        for name in preload:
            _load(name)
        share_structured_configs()
        _errand = unpack_errand(errand)
        _errand.install()
        gc.freeze()
        gc.enable()
    except BaseException as error:
        # A process that ends here would be replaced by the next one that ends here; so the job will say it.
        _problem = error


def limit_memory(gigabytes: float) -> None:
    """Has this process raise MemoryError instead of taking more memory.

    The limit is on data (RLIMIT_DATA), not on addresses (RLIMIT_AS): TensorFlow and CUDA reserve far more addresses
    than they ever use.
    """
    limit = int(gigabytes * 1e9)
    _, allowed = resource.getrlimit(resource.RLIMIT_DATA)
    if allowed != resource.RLIM_INFINITY:
        # A batch system may have set a lower one already, which cannot be raised.
        limit = min(limit, allowed)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def work(overrides: Sequence[str], number: int, note: str, capture: bool) -> bytes:
    """Runs one job and returns how it ended, packed; raises nothing.

    Args:
        overrides: The job's overrides.
        number: Its number.
        note: File for the `Note` about it.
        capture: Whether what it prints goes to a file in its folder.
    """
    # Who asks a worker to end while it has a job means that the job shall not go on.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    begun = Note.begin()
    begun.write(Path(note))
    try:
        errand = _get_errand()
        config = _compose(errand, overrides, number)
        with contextlib.ExitStack() as stack:
            if capture:
                output = _name_folder(config) / OUTPUT_FILE
                output.parent.mkdir(parents=True, exist_ok=True)
                offset = output.stat().st_size if output.exists() else 0
                Note(begun.pid, begun.started, str(output), offset).write(Path(note))
                stack.enter_context(print_to(output))
            return pack_answer(_run(errand, config))
    except BaseException as error:
        return pack_failure(error)
    finally:
        signal.signal(signal.SIGTERM, _leave)


def call(packed: bytes, note: str, capture: bool) -> bytes:
    """Calls a function, which is no job and has no folder, and returns what came of it, packed; raises nothing.

    Args:
        packed: The function and its arguments.
        note: File for the `Note` about the call.
        capture: Is of no concern: what is printed goes where the process's own output goes.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Note.begin().write(Path(note))
    try:
        _get_errand()
        function, arguments = unpack_call(packed)
        return pack_value(function(*arguments))
    except BaseException as error:
        return pack_failure(error)
    finally:
        signal.signal(signal.SIGTERM, _leave)


def _get_errand() -> Errand:
    """Returns the errand.

    Raises:
        WorkerStartError: This process could not be made ready.
    """
    if _problem is not None or _errand is None:
        raise WorkerStartError(
            f"The worker process could not be made ready: {type(_problem).__name__}: {_problem}. What it imports "
            "ahead is listed in hydra.launcher.preload."
        ) from _problem
    return _errand


def _compose(errand: Errand, overrides: Sequence[str], number: int) -> DictConfig:
    config = errand.context.config_loader.load_sweep_config(errand.config, list(overrides))
    with open_dict(config):
        config.hydra.job.id = f"{config.hydra.job.name}_{number}"
        config.hydra.job.num = number
    # Its folder may be named with `${hydra:…}`.
    HydraConfig.instance().set_config(config)
    return config


def _name_folder(config: DictConfig) -> Path:
    folder, subdir = (str(OmegaConf.select(config, f"hydra.sweep.{key}")) for key in ("dir", "subdir"))
    return Path(folder, subdir).absolute()


def _run(errand: Errand, config: DictConfig) -> JobReturn:
    result = run_job(
        hydra_context=errand.context,
        task_function=_contain(errand.task_function),
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
    if result.status is not JobStatus.COMPLETED:
        # The parent may show the message alone; who looks into the job's folder wants to know where it came from.
        traceback.print_exception(result._return_value)
    return result


def _contain(task_function: TaskFunction) -> TaskFunction:
    """Returns the task function with the wish to end the process turned into an ordinary error."""

    @functools.wraps(task_function)
    def contained(config: Any) -> Any:
        try:
            return task_function(config)
        except (SystemExit, KeyboardInterrupt) as error:
            raise JobExitError(f"The job wanted to end its process: {error!r}.") from error

    return contained


def _load(name: str) -> None:
    module, _, function = name.partition(":")
    loaded = importlib.import_module(module)
    if function:
        getattr(loaded, function)()


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """Ends a process that has no job: with all that libraries do at exit, but without taking the interpreter apart.

    With TensorFlow in it that takes a second or more, for which the next job would have to wait; it would also wait
    for threads that a job has left.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    atexit._run_exitfuncs()
    flush_output()
    os._exit(0)


def _watch_parent(folder: str) -> None:
    """Ends this process, and those that it has started, as soon as the parent is gone.

    Nobody would take the result; and who goes on with the parent's work will run the job again.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    while os.getppid() == parent.pid:
        # Wakes up at once, unless another process that the parent has forked keeps its files open.
        parent.join(_WATCH_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(os.getpgid(0), signal.SIGKILL)
