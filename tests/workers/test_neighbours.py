"""What is said of those who use the memory of a GPU besides us."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest

from src.gpus.inventory import Gpu, read_gpus
from src.gpus.lease import Lease
from src.workers import neighbours
from src.workers.neighbours import Neighbours

MakeGpus = Callable[..., None]


@pytest.fixture(autouse=True)
def _looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_INTERVAL_SECONDS", 0.0)


@pytest.fixture
def child() -> Iterator[int]:
    """A process that this one has started."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.communicate()


def make_lease() -> Lease:
    """Returns the lease of a half of a GPU of 24576 MB."""
    return Lease("0", 2, 11 * 10**9, read_gpus()[0])


def test_who_leaves_too_little_is_named_once(make_gpus: MakeGpus, caplog: pytest.LogCaptureFixture) -> None:
    stranger = {"pid": os.getppid(), "name": "python", "used_mb": 16000}
    make_gpus({"used_mb": 17000, "processes": [stranger]})
    watch = Neighbours()
    watch.look(make_lease())
    watch.look(make_lease())
    (told,) = caplog.messages
    owner = psutil.Process(os.getppid()).username()
    assert told == (
        "GPU 0 (Some GPU, 25.8 GB, driver made up) has 7.9 GB free, less than the 11.0 GB that a trial is to have "
        f"there (1/2, at most 11.0 GB). It is used by python of {owner} (process {os.getppid()}, 16.8 GB). Trials go "
        "on, and may run out of memory: end it, or leave the GPU out with hydra.launcher.gpus."
    )
    make_gpus({"used_mb": 17000, "processes": [stranger, {"pid": 1, "name": "init"}]})
    watch.look(make_lease())
    assert "(process 1)" in caplog.messages[1]


def test_a_driver_that_takes_its_time_over_one_gpu_keeps_nobody_from_another(
    make_gpus: MakeGpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_gpus({}, {})
    first, (_, other) = make_lease(), read_gpus()
    asked, answered = threading.Event(), threading.Event()

    def ask() -> list[Gpu]:
        if not asked.is_set():
            asked.set()
            answered.wait(60)
        return []

    monkeypatch.setattr(neighbours, "read_gpus", ask)
    watch = Neighbours()
    threads = [
        threading.Thread(target=watch.look, args=[lease], daemon=True) for lease in (first, Lease("1", 2, 1, other))
    ]
    threads[0].start()
    assert asked.wait(60)
    threads[1].start()
    threads[1].join(60)
    assert [thread.is_alive() for thread in threads] == [True, False]
    answered.set()
    threads[0].join(60)


def test_nothing_is_said_of_our_own_processes_nor_where_there_is_room(
    make_gpus: MakeGpus, child: int, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Neighbours()
    make_gpus({"used_mb": 17000, "processes": [{"pid": os.getpid()}, {"pid": child}]})
    watch.look(make_lease())
    make_gpus({"used_mb": 13000, "processes": [{"pid": os.getppid(), "used_mb": 13000}]})
    watch.look(make_lease())
    watch.look(Lease("MIG-1", 2))
    assert caplog.messages == []


def test_a_process_that_is_not_known_here_may_be_one_of_ours(
    make_gpus: MakeGpus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_gpus({"used_mb": 17000, "processes": [{"pid": 4711, "name": "python", "used_mb": 16000}]})
    monkeypatch.setattr(psutil, "pid_exists", lambda pid: False)
    Neighbours().look(make_lease())
    told = "used by python (process 4711, 16.8 GB; not to be found from here, and maybe one of ours). Trials go on"
    assert told in caplog.messages[0]


def test_a_gpu_is_looked_at_again_only_after_a_while(
    make_gpus: MakeGpus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(neighbours, "_INTERVAL_SECONDS", 3600.0)
    watch = Neighbours()
    make_gpus({})
    watch.look(make_lease())
    make_gpus({"used_mb": 17000, "processes": [{"pid": os.getppid(), "used_mb": 16000}]})
    watch.look(make_lease())
    assert caplog.messages == []
