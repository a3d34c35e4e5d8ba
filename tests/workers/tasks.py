"""Task functions of the tests; jobs meet in the folder `config.meeting`, each showing a file with its process's id."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from src.errors import ConfigError

#: Longest wait for another process; nothing waits so long unless something is wrong.
PATIENCE_SECONDS = 60


class FragileError(Exception):
    """Can be pickled, but not read again."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class HeldError(Exception):
    """Cannot be pickled."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.lock = threading.Lock()


class Fragile:
    """Can be pickled, but not read again."""

    def __reduce__(self) -> Any:
        return (int, ("no number",))


def wait_for(path: Path) -> str:
    """Returns what is in a file as soon as something is."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if path.exists() and (text := path.read_text(encoding="utf-8")):
            return text
        time.sleep(0.01)
    raise AssertionError(f"{path} did not come.")


def show_pid(path: Path) -> None:
    """Writes this process's id."""
    path.write_text(str(os.getpid()), encoding="utf-8")


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has asked for its exit code yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(*pids: int) -> None:
    """Returns as soon as none of the processes runs any more."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline, "A process lives on."
        time.sleep(0.01)


def find_family(pid: int) -> list[int]:
    """Returns the processes that a process has started, and those that they have started."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def square(config: Any) -> int:
    return int(config.x) ** 2


def tell_pid(config: Any) -> int:
    return os.getpid()


def announce() -> None:
    """Is preloaded: shows the process that is ready, and the GPU that it sees then."""
    meeting = Path(os.environ["MEETING"])
    (meeting / f"{time.monotonic_ns()}.ready").write_text(f"{os.getpid()}", encoding="utf-8")
    globals()["preloaded_gpu"] = os.environ.get("CUDA_VISIBLE_DEVICES")


def wait_for_the_next_process(config: Any) -> tuple[int, list[str]]:
    """Returns this process's id, and those that have been ready so far, one more than there have been jobs."""
    meeting = Path(os.environ["MEETING"])
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(ready := sorted(meeting.glob("*.ready"))) < int(config.x) + 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    return os.getpid(), [path.read_text(encoding="utf-8") for path in ready]


def tell_environment(config: Any) -> dict[str, str | None]:
    """Returns what the process sees, once both jobs are there, so that they are in two slots."""
    show_pid(Path(config.meeting) / f"{config.x}")
    wait_for(Path(config.meeting) / f"{1 - int(config.x)}")
    names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return {"preloaded": globals().get("preloaded_gpu"), **{name: os.environ.get(name) for name in names}}


def count_compute_threads(config: Any) -> tuple[int, int]:
    """Returns the threads that TensorFlow is said to compute on, and those that it has when it has computed."""
    from src.runtime import count_threads, load_tensorflow

    load_tensorflow()
    import tensorflow as tf

    tf.linalg.matmul(tf.ones((64, 64)), tf.ones((64, 64)))
    names = [path.read_text(encoding="utf-8").strip() for path in Path("/proc/self/task").glob("*/comm")]
    return count_threads(), names.count("tf_Compute")


def wait_for_go(config: Any) -> str:
    """Shows its process, and ends when it is told so."""
    show_pid(Path(config.meeting) / f"pid-{config.x}")
    print(f"job {config.x} waits", flush=True)
    return wait_for(Path(config.meeting) / f"go-{config.x}")


def leave_a_child(config: Any) -> int:
    """Shows its process and one that it has started, and waits for ever where `x` is 1."""
    child = subprocess.Popen(["sleep", "600"])
    (Path(config.meeting) / "child").write_text(str(child.pid), encoding="utf-8")
    show_pid(Path(config.meeting) / "pid")
    if config.x == 1:
        child.wait()
    return child.pid


def leave_a_thread(config: Any) -> int:
    """Keeps its process from ending by itself."""
    threading.Thread(target=time.sleep, args=(600,)).start()
    return os.getpid()


def end(config: Any) -> Any:
    """Ends as `x` says."""
    print("the last words", flush=True)
    match str(config.x):
        case "zero":
            os._exit(0)
        case "three":
            os._exit(3)
        case "abort":
            os.abort()
        case "kill":
            os.kill(os.getpid(), 9)
        case "term":
            os.kill(os.getpid(), 15)
        case "exit":
            sys.exit(3)
        case "interrupt":
            raise KeyboardInterrupt
        case "value":
            raise ValueError("no good")
        case "fragile":
            raise FragileError(1, 2)
        case "held":
            raise HeldError("held fast")
        case "lock":
            return threading.Lock()
        case "unreadable":
            return Fragile()
        case "bad_alloc":
            os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
            os.abort()
        case "memory":
            return len(bytearray(10**9))
    return os.getpid()


def fail_once() -> None:
    """Is preloaded: fails in the first process."""
    path = Path(os.environ["MEETING"]) / "failed"
    if not path.exists():
        path.touch()
        raise OSError("the drive is away")


def ignore_being_asked(config: Any) -> None:
    """Does not end, not even when it is asked to; nor does the process that it has started."""
    if config.x == 0:
        return
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "600"])
    (Path(config.meeting) / "pids").write_text(f"{os.getpid()} {child.pid}", encoding="utf-8")
    while True:
        time.sleep(1)


def print_in_every_way(config: Any) -> None:
    print("from Python")
    print("to stderr", file=sys.stderr)
    os.write(1, b"past Python\n")
    ctypes.CDLL(None).printf(b"from C\n")
    subprocess.run(["echo", "from a child"], check=True)


def break_itself(config: Any) -> dict[str, object]:
    return {"pid": os.getpid(), "new_process": True}


def add(one: int, two: int) -> tuple[int, int]:
    """Returns a sum, and the process that has added."""
    return one + two, os.getpid()


def fail(message: str) -> None:
    raise ConfigError(message)


def wait_in(meeting: Path) -> None:
    """Shows its process, and waits to be killed."""
    show_pid(meeting / "pid-call")
    wait_for(meeting / "never")


def stay_on_gpu(config: Any) -> dict[str, Any]:
    """Shows that it has begun, ends when it is told so, and returns its lease and which processes it has beside it."""
    from src.gpus.lease import Lease

    meeting = Path(config.meeting)
    begun = time.monotonic_ns()
    beside = [pid for pid in find_family(os.getppid()) if pid != os.getpid() and is_worker(pid)]
    show_pid(meeting / f"pid-{config.x}")
    wait_for(meeting / f"go-{config.x}")
    return {"lease": Lease.current(), "beside": beside, "begun": begun, "ended": time.monotonic_ns()}


def is_worker(pid: int) -> bool:
    """Whether a process is one of the workers, which multiprocessing has started, and lives."""
    try:
        return is_alive(pid) and "spawn_main" in " ".join(psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return False
