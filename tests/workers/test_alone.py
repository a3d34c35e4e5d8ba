"""Jobs that have a GPU for themselves, on which several run otherwise."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from src.gpus.lease import Lease
from src.workers.slot import Slot
from src.workers.vacancies import Vacancies
from tests.sweep.site import wait_until
from tests.workers import tasks
from tests.workers.conftest import OpenWorkers


class Place:
    """Stands for a slot; all that counts here is its lease."""

    def __init__(self, gpu: str | None) -> None:
        self.lease = None if gpu is None else Lease(gpu, tenants=2)


def make_slots(*gpus: str | None) -> list[Slot]:
    return [cast(Slot, Place(gpu)) for gpu in gpus]


def run_aside(function: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


def test_the_slot_that_was_last_in_use_is_given_out_first() -> None:
    one, two, three = make_slots(None, None, None)
    vacancies = Vacancies([one, two, three])
    assert [vacancies.take(), vacancies.take()] == [three, two]
    vacancies.give_back(three)
    vacancies.give_back(two)
    assert [vacancies.take(), vacancies.take(), vacancies.take()] == [two, three, one]


def test_a_job_that_is_to_be_alone_gets_its_gpu_before_all_others_and_leaves_other_gpus_to_them() -> None:
    first, second, other = make_slots("0", "0", "1")
    vacancies = Vacancies([other, first, second])
    running = vacancies.take()
    assert running is second
    granted: list[Slot] = []
    waiting = run_aside(lambda: granted.extend(vacancies.take_gpu("0", lambda: True) or []))
    wait_until(lambda: vacancies._wanted["0"] == 1, "the job waits for its GPU")
    assert vacancies.take() is other
    taken: list[Slot] = []
    late = run_aside(lambda: taken.append(vacancies.take()))
    assert granted == []
    vacancies.give_back(running)
    waiting.join(60)
    assert granted == [first, second]
    assert taken == []
    vacancies.give_back_gpu("0", granted)
    late.join(60)
    assert taken == [second]


def test_slots_are_held_back_while_a_job_waits_to_be_alone_and_while_it_is() -> None:
    vacancies = Vacancies(make_slots("0", "0", "0", "0", "1"))
    assert vacancies.held_back == 0
    vacancies.take()
    running = vacancies.take()
    granted: list[Slot] = []
    waiting = run_aside(lambda: granted.extend(vacancies.take_gpu("0", lambda: True) or []))
    wait_until(lambda: vacancies.held_back > 0, "the job waits for its GPU")
    # Of the three that have no job one is the waiting job's own.
    assert vacancies.held_back == 2
    vacancies.give_back(running)
    waiting.join(60)
    assert vacancies.held_back == 3
    vacancies.give_back_gpu("0", granted)
    assert vacancies.held_back == 0


def test_a_job_that_waits_to_be_alone_gives_up_when_it_is_not_wanted_any_more() -> None:
    first, second = make_slots("0", "0")
    vacancies = Vacancies([first, second])
    assert vacancies.take() is second
    over, told = threading.Event(), []
    waiting = run_aside(lambda: told.append(vacancies.take_gpu("0", lambda: not over.is_set())))
    wait_until(lambda: vacancies._wanted["0"] == 1, "the job waits for its GPU")
    over.set()
    waiting.join(60)
    assert (told, vacancies.held_back) == ([None], 0)
    assert vacancies.take() is first


@pytest.mark.parametrize("reuse", [True, False])
def test_a_job_that_is_run_alone_has_no_process_beside_it_and_the_whole_gpu(
    reuse: bool, open_workers: OpenWorkers, make_gpus: Callable[..., None], tmp_path: Path
) -> None:
    make_gpus({})
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    workers = open_workers(tasks.stay_on_gpu, trials_per_gpu=3, reuse=reuse)
    with ThreadPoolExecutor(3) as threads:
        before = threads.submit(workers.run, [["x=0", f"meeting={meeting}"]], 0)
        tasks.wait_for(meeting / "pid-0")
        lease = Lease("0", 3)
        alone = threads.submit(workers.run_alone, ["x=1", f"meeting={meeting}"], 1, lease)
        wait_until(lambda: workers.held_back == 1, "the job waits for its GPU")
        after = threads.submit(workers.run, [["x=2", f"meeting={meeting}"]], 2)
        for x in (0, 1, 2):
            (meeting / f"go-{x}").write_text("go", encoding="utf-8")
        told = [before.result()[0].return_value, alone.result().return_value, after.result()[0].return_value]
    assert told[0]["ended"] < told[1]["begun"]
    assert told[1]["ended"] < told[2]["begun"]
    assert told[1]["beside"] == []
    assert [one["lease"].describe_share() for one in told] == ["1/3, at most 7.6 GB", "all", "1/3, at most 7.6 GB"]
    assert workers.held_back == 0


def test_slots_have_their_processes_again_before_anybody_can_take_them(
    open_workers: OpenWorkers, make_gpus: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_gpus({})
    workers = open_workers(tasks.square, trials_per_gpu=2, reuse=True)
    workers.start()
    vacancies, ready = workers._vacancies, []

    def give_back(gpu: str, slots: list[Slot]) -> None:
        ready.extend(slot._ready is not None for slot in slots)
        Vacancies.give_back_gpu(vacancies, gpu, slots)

    monkeypatch.setattr(vacancies, "give_back_gpu", give_back)
    assert workers.run_alone(["x=3"], 0, Lease("0", 2)).return_value == 9
    assert ready == [True, True]


def test_a_process_that_is_reused_takes_the_place_of_one_that_waits(
    open_workers: OpenWorkers, make_gpus: Callable[..., None], tmp_path: Path
) -> None:
    make_gpus({})
    workers = open_workers(tasks.wait_for_go, reuse=True)
    with ThreadPoolExecutor(1) as threads:
        job = threads.submit(workers.run, [["x=0", f"meeting={tmp_path}"]], 0)
        pid = int(tasks.wait_for(tmp_path / "pid-0"))
        (slot,) = workers._opened
        slot.warm()
        (tmp_path / "go-0").write_text("go", encoding="utf-8")
        job.result()
    slot.await_leaving()
    assert [process for process in tasks.find_family(os.getpid()) if tasks.is_worker(process)] == [pid]


def test_a_gpu_is_looked_at_when_the_process_of_the_job_before_is_gone(
    open_workers: OpenWorkers, make_gpus: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_gpus({})
    workers = open_workers(tasks.tell_pid)
    pids: list[int] = []
    lives: list[bool] = []
    monkeypatch.setattr(workers._neighbours, "look", lambda lease: lives.extend(map(tasks.is_alive, pids)))
    for number in range(3):
        pids.append(workers.run([["x=0"]], number)[0].return_value)
    assert lives == [False] * 3


def test_workers_that_are_stopped_end_a_job_that_is_alone_and_one_that_waits_to_be(
    open_workers: OpenWorkers, make_gpus: Callable[..., None], tmp_path: Path
) -> None:
    make_gpus({})
    workers = open_workers(tasks.stay_on_gpu, trials_per_gpu=2)
    with ThreadPoolExecutor(2) as threads:
        jobs = [
            threads.submit(workers.run_alone, [f"x={x}", f"meeting={tmp_path}"], x, Lease("0", 2)) for x in range(2)
        ]
        wait_until(lambda: any(tmp_path.glob("pid-*")), "one of them runs")
        workers.stop()
        errors = [str(job.result()._return_value) for job in jobs]
    assert errors == ["The job was killed since all workers were stopped."] * 2
    assert len(list(tmp_path.glob("pid-*"))) == 1
