from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus

from src.errors import ConfigError
from src.workers.errors import JobExitError, JobResultError, JobTimeoutError, WorkerDiedError, WorkerStartError
from tests.workers import tasks
from tests.workers.conftest import OpenWorkers


@pytest.fixture
def meeting(tmp_path: Path) -> Path:
    """Folder in which jobs meet each other and the test."""
    path = tmp_path / "meeting"
    path.mkdir()
    return path


@pytest.fixture
def threads() -> Any:
    """Threads from which jobs are launched."""
    with ThreadPoolExecutor(4) as executor:
        yield executor


def get_values(results: list[JobReturn]) -> list[Any]:
    assert [result.status for result in results] == [JobStatus.COMPLETED] * len(results)
    return [result.return_value for result in results]


def get_error(result: JobReturn) -> Any:
    assert result.status is JobStatus.FAILED
    return result._return_value


def test_results_come_in_the_order_of_the_jobs(open_workers: OpenWorkers, folder: Path) -> None:
    workers = open_workers(tasks.square, n_jobs=2)
    results = workers.run([["x=2"], ["x=3"], ["x=4"]], 5)
    assert get_values(results) == [4, 9, 16]
    assert [result.overrides for result in results] == [["x=2"], ["x=3"], ["x=4"]]
    assert sorted(path.name for path in folder.iterdir()) == ["5", "6", "7"]
    assert (folder / "6" / ".hydra" / "overrides.yaml").read_text(encoding="utf-8") == "- x=3\n"


def test_a_configuration_that_cannot_be_composed_fails_its_own_job(open_workers: OpenWorkers) -> None:
    workers = open_workers(tasks.square)
    wrong, right = workers.run([["y=2"], ["x=3"]], 0)
    assert "Could not override 'y'" in str(get_error(wrong))
    assert get_values([right]) == [9]


def test_a_job_can_have_its_process_replaced(open_workers: OpenWorkers) -> None:
    workers = open_workers(tasks.break_itself, reuse=True)
    pids = {workers.run([[]], number)[0].return_value["pid"] for number in range(2)}
    assert len(pids) == 2


def test_processes_that_are_reused_take_all_jobs(open_workers: OpenWorkers) -> None:
    workers = open_workers(tasks.tell_pid, reuse=True)
    assert len(set(get_values(workers.run([[], [], []], 0)))) == 1


def test_each_job_gets_a_process_of_its_own_that_was_ready_before_it(
    open_workers: OpenWorkers, meeting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEETING", str(meeting))
    workers = open_workers(tasks.wait_for_the_next_process, reuse=False, preload=["tests.workers.tasks:announce"])
    pids, ready = zip(*get_values([workers.run([[f"x={x}"]], x)[0] for x in range(3)]), strict=True)
    assert len(set(pids)) == 3
    # While the first job ran, the process of the second got ready, and so on.
    assert [ready[0][1], ready[1][2]] == [str(pids[1]), str(pids[2])]
    assert not any(map(tasks.is_alive, pids[:2]))


def test_a_slot_has_its_gpu_before_anything_is_imported(
    open_workers: OpenWorkers, meeting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEETING", str(meeting))
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    workers = open_workers(tasks.tell_environment, gpus=[3, 5], preload=["tests.workers.tasks:announce"])
    assert workers.slots == 2
    seen = get_values(workers.run([[f"x={x}", f"meeting={meeting}"] for x in (0, 1)], 0))
    assert sorted((one["preloaded"], one["CUDA_VISIBLE_DEVICES"]) for one in seen) == [("3", "3"), ("5", "5")]
    share = str(max(1, len(os.sched_getaffinity(0)) // 2))
    assert {one["TF_NUM_INTRAOP_THREADS"] for one in seen} == {share}
    # What the user has set stays.
    assert {one["OMP_NUM_THREADS"] for one in seen} == {"7"}


def test_tensorflow_in_a_slot_has_its_share_of_the_threads_or_as_many_as_are_wanted(
    open_workers: OpenWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    cores = len(os.sched_getaffinity(0))
    shared = open_workers(tasks.count_compute_threads, gpus=0, n_jobs=2)
    ((said, started),) = get_values(shared.run([[]], 0))
    assert said == max(1, cores // 2)
    wanted = open_workers(tasks.count_compute_threads, gpus=0, n_jobs=2, threads=said + 3)
    ((said_more, started_more),) = get_values(wanted.run([[]], 0))
    assert said_more == said + 3
    # TensorFlow has some threads of that name for other things, as many in each.
    assert started_more - started == 3
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "5")
    users = open_workers(tasks.count_compute_threads, gpus=0, n_jobs=2)
    assert get_values(users.run([[]], 0))[0][0] == 5


def test_a_process_that_is_killed_costs_its_own_job_alone(
    open_workers: OpenWorkers, meeting: Path, threads: ThreadPoolExecutor, folder: Path
) -> None:
    workers = open_workers(tasks.wait_for_go, n_jobs=2, reuse=True)
    jobs: list[Future[list[JobReturn]]] = [
        threads.submit(workers.run, [[f"x={x}", f"meeting={meeting}"]], x) for x in (0, 1)
    ]
    tasks.wait_for(folder / "0" / "output.log")
    killed, spared = (int(tasks.wait_for(meeting / f"pid-{x}")) for x in (0, 1))
    os.kill(killed, signal.SIGKILL)
    error = get_error(jobs[0].result()[0])
    assert isinstance(error, WorkerDiedError)
    assert (error.pid, error.exitcode, error.signal, error.out_of_memory) == (killed, -9, 9, False)
    assert str(error) == (
        f"The worker process {killed} was killed by SIGKILL. It last printed ({folder / '0' / 'output.log'}):\n"
        "job 0 waits"
    )
    (meeting / "go-1").write_text("done", encoding="utf-8")
    (meeting / "go-2").write_text("done", encoding="utf-8")
    assert get_values(jobs[1].result()) == ["done"]
    # The slot of the one that was killed goes on with another process.
    results = workers.run([[f"x={x}", f"meeting={meeting}"] for x in (2, 2)], 2)
    assert get_values(results) == ["done", "done"]
    assert tasks.is_alive(spared)


@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize(
    ("how", "exitcode", "words"),
    [
        ("zero", 0, "ended with exit code 0"),
        ("three", 3, "ended with exit code 3"),
        ("abort", -6, "was killed by SIGABRT"),
        ("kill", -9, "was killed by SIGKILL"),
        ("term", -15, "was killed by SIGTERM"),
    ],
)
def test_a_process_that_ends_in_its_job_is_told_by_how_it_ended(
    open_workers: OpenWorkers, reuse: bool, how: str, exitcode: int, words: str
) -> None:
    workers = open_workers(tasks.end, reuse=reuse)
    died, well = workers.run([[f"x={how}"], []], 0)
    error = get_error(died)
    assert isinstance(error, WorkerDiedError)
    assert error.exitcode == exitcode
    assert words in str(error)
    assert "the last words" in str(error)
    assert not error.out_of_memory
    assert get_values([well]) != [error.pid]


def test_a_job_that_wants_to_end_its_process_has_failed_and_the_process_goes_on(open_workers: OpenWorkers) -> None:
    workers = open_workers(tasks.end, reuse=True)
    before, left, interrupted, after = workers.run([[], ["x=exit"], ["x=interrupt"], []], 0)
    assert isinstance(get_error(left), JobExitError)
    assert str(get_error(left)) == "The job wanted to end its process: SystemExit(3)."
    assert str(get_error(interrupted)) == "The job wanted to end its process: KeyboardInterrupt()."
    assert get_values([before]) == get_values([after])


def test_an_exception_comes_back_as_it_is_or_as_what_can_be_told_of_it(open_workers: OpenWorkers) -> None:
    workers = open_workers(tasks.end)
    value, fragile, held = map(get_error, workers.run([["x=value"], ["x=fragile"], ["x=held"]], 0))
    assert isinstance(value, ValueError)
    assert value.args == ("no good",)
    assert [type(fragile), str(fragile)] == [RuntimeError, "FragileError: 1 and 2"]
    assert [type(held), str(held)] == [RuntimeError, "HeldError: held fast"]
    # Where it was raised is told behind each of them.
    assert ["in end" in str(error.__cause__) for error in (value, fragile, held)] == [True] * 3


def test_an_exception_is_told_where_the_job_prints(open_workers: OpenWorkers, folder: Path) -> None:
    get_error(open_workers(tasks.end).run([["x=value"]], 0)[0])
    log = (folder / "0" / "output.log").read_text(encoding="utf-8")
    assert log.startswith("the last words\nTraceback")
    assert log.endswith("ValueError: no good\n")


def test_a_value_that_cannot_be_sent_fails_its_own_job(open_workers: OpenWorkers) -> None:
    workers = open_workers(tasks.end)
    lock, unreadable, well = workers.run([["x=lock"], ["x=unreadable"], []], 0)
    assert isinstance(get_error(lock), JobResultError)
    assert "what it returned, a lock, cannot be sent out of its process: TypeError" in str(get_error(lock))
    assert isinstance(get_error(unreadable), JobResultError)
    assert "what it returned, a Fragile, cannot be sent out of its process: ValueError" in str(get_error(unreadable))
    assert well.status is JobStatus.COMPLETED


def test_a_job_that_asks_for_more_memory_than_it_may_have_gets_an_error(open_workers: OpenWorkers) -> None:
    workers = open_workers(tasks.end, memory_limit_gb=0.6)
    too_much, well = workers.run([["x=memory"], []], 0)
    assert isinstance(get_error(too_much), MemoryError)
    assert well.status is JobStatus.COMPLETED


def test_a_process_that_dies_for_want_of_memory_is_known_by_its_last_words(open_workers: OpenWorkers) -> None:
    error = get_error(open_workers(tasks.end).run([["x=bad_alloc"]], 0)[0])
    assert isinstance(error, WorkerDiedError)
    assert error.out_of_memory
    assert "was killed by SIGABRT; memory had run out." in str(error)


def test_a_job_that_takes_too_long_is_killed_and_the_next_one_runs(
    open_workers: OpenWorkers, meeting: Path, threads: ThreadPoolExecutor, folder: Path
) -> None:
    workers = open_workers(tasks.wait_for_go, reuse=True)
    job = threads.submit(workers.run, [["x=0", f"meeting={meeting}"]], 0)
    tasks.wait_for(folder / "0" / "output.log")
    # It has taken longer than this already.
    workers.kill_after = 0.01
    error = get_error(job.result()[0])
    assert isinstance(error, JobTimeoutError)
    assert "killed after 0.01 seconds" in str(error)
    assert "job 0 waits" in str(error)
    assert error.pid == int(tasks.wait_for(meeting / "pid-0"))
    assert not tasks.is_alive(error.pid)
    workers.kill_after = None
    (meeting / "go-1").write_text("done", encoding="utf-8")
    assert get_values(workers.run([["x=1", f"meeting={meeting}"]], 1)) == ["done"]


@pytest.mark.parametrize("reuse", [True, False])
def test_a_job_that_cannot_be_asked_to_end_is_killed_with_all_that_it_has_started(
    open_workers: OpenWorkers, meeting: Path, threads: ThreadPoolExecutor, reuse: bool
) -> None:
    workers = open_workers(tasks.ignore_being_asked, reuse=reuse)
    job = threads.submit(workers.run, [["x=1", f"meeting={meeting}"]], 0)
    pids = [int(pid) for pid in tasks.wait_for(meeting / "pids").split()]
    # The limit may be set while the job runs.
    workers.kill_after = 0.1
    assert isinstance(get_error(job.result()[0]), JobTimeoutError)
    tasks.wait_until_gone(*pids)
    workers.kill_after = None
    assert get_values(workers.run([["x=0"]], 1)) == [None]


def test_an_error_repeats_nothing_of_an_earlier_job_in_the_same_folder(open_workers: OpenWorkers, folder: Path) -> None:
    workers = open_workers(tasks.end)
    get_error(workers.run([["x=value"]], 0)[0])
    error = get_error(workers.run([["x=kill"]], 0)[0])
    assert str(error).endswith(f"({folder / '0' / 'output.log'}):\nthe last words")
    assert (folder / "0" / "output.log").read_text(encoding="utf-8").count("the last words") == 2


def test_four_threads_share_two_slots(open_workers: OpenWorkers, folder: Path, threads: ThreadPoolExecutor) -> None:
    workers = open_workers(tasks.tell_pid, n_jobs=2, reuse=True)
    jobs = [threads.submit(workers.run, [[]], number) for number in range(12)]
    assert len({get_values(job.result())[0] for job in jobs}) == 2
    assert sorted(int(path.name) for path in folder.iterdir()) == list(range(12))


def test_stopping_kills_every_process_and_fails_every_job(
    open_workers: OpenWorkers, meeting: Path, threads: ThreadPoolExecutor
) -> None:
    workers = open_workers(tasks.wait_for_go, n_jobs=2, reuse=False)
    jobs = [threads.submit(workers.run, [[f"x={x}", f"meeting={meeting}"]], x) for x in (0, 1)]
    waiting = threads.submit(workers.run, [["x=2", f"meeting={meeting}"]], 2)
    pids = [int(tasks.wait_for(meeting / f"pid-{x}")) for x in (0, 1)]
    workers.stop()
    errors = [get_error(job.result()[0]) for job in [*jobs, waiting]]
    assert [type(error) for error in errors] == [WorkerDiedError] * 3
    assert [error.pid for error in errors[:2]] == pids
    tasks.wait_until_gone(*pids)
    assert isinstance(get_error(workers.run([[]], 3)[0]), WorkerDiedError)


@pytest.mark.parametrize("reuse", [True, False])
def test_a_process_that_is_killed_while_it_has_no_job_costs_none(open_workers: OpenWorkers, reuse: bool) -> None:
    workers = open_workers(tasks.tell_pid, reuse=reuse)
    get_values(workers.run([[]], 0))
    for slot in workers._opened:
        for pool in slot._pools:
            pool._context.signal(signal.SIGKILL)
    assert len(get_values(workers.run([[]], 1))) == 1


def test_a_job_says_what_kept_its_process_from_getting_ready(open_workers: OpenWorkers) -> None:
    workers = open_workers(tasks.tell_pid, preload=["json", "no_such_module"])
    error = get_error(workers.run([[]], 0)[0])
    assert isinstance(error, WorkerStartError)
    assert "ModuleNotFoundError: No module named 'no_such_module'" in str(error)
    assert "hydra.launcher.preload" in str(error)


def test_a_process_that_did_not_get_ready_is_replaced_for_the_next_job(
    open_workers: OpenWorkers, meeting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEETING", str(meeting))
    workers = open_workers(tasks.square, preload=["tests.workers.tasks:fail_once"], reuse=True)
    unready, well = workers.run([["x=2"], ["x=3"]], 0)
    assert "OSError: the drive is away" in str(get_error(unready))
    assert get_values([well]) == [9]


def test_processes_that_die_at_their_start_fail_the_job(open_workers: OpenWorkers) -> None:
    workers = open_workers(tasks.tell_pid, preload=["os:abort"])
    error = get_error(workers.run([[]], 0)[0])
    assert isinstance(error, WorkerDiedError)
    assert str(error).startswith("The job could not begin: the worker process")
    assert "Fatal Python error: Aborted" in str(error)


def test_a_task_function_that_cannot_be_sent_is_refused(open_workers: OpenWorkers) -> None:
    lock = threading.Lock()
    with pytest.raises(ConfigError, match=r"cannot be sent to worker processes: TypeError: cannot pickle"):
        open_workers(lambda config: lock).start()


def test_what_a_job_prints_goes_to_its_own_folder(
    open_workers: OpenWorkers, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = ["from Python", "to stderr", "past Python", "from C", "from a child"]
    get_values(open_workers(tasks.print_in_every_way).run([[], []], 0))
    for number in "01":
        assert sorted((folder / number / "output.log").read_text(encoding="utf-8").splitlines()) == sorted(lines)
    assert capfd.readouterr() == ("", "")


def test_what_a_job_prints_can_be_shown_in_the_terminal(
    open_workers: OpenWorkers, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    get_values(open_workers(tasks.print_in_every_way, capture=False).run([[]], 0))
    assert {"from Python", "past Python", "from a child"} <= set(capfd.readouterr().out.splitlines())
    assert not (folder / "0" / "output.log").exists()


def test_a_process_that_will_not_end_does_not_keep_its_place(open_workers: OpenWorkers) -> None:
    workers = open_workers(tasks.leave_a_thread, reuse=False)
    pids = get_values(workers.run([[], []], 0))
    assert len(set(pids)) == 2
    workers.close()
    assert not any(map(tasks.is_alive, pids))


def test_what_a_job_leaves_running_ends_with_its_process(open_workers: OpenWorkers, meeting: Path) -> None:
    workers = open_workers(tasks.leave_a_child, reuse=False)
    child = get_values(workers.run([[f"meeting={meeting}"]], 0))[0]
    workers.close()
    tasks.wait_until_gone(child)


def test_workers_that_were_closed_can_be_used_again(open_workers: OpenWorkers) -> None:
    workers = open_workers(tasks.square)
    assert get_values(workers.run([["x=2"]], 0)) == [4]
    workers.close()
    workers.close()
    assert get_values(workers.run([["x=3"]], 1)) == [9]


def test_closing_ends_the_jobs_that_still_run(
    open_workers: OpenWorkers, meeting: Path, threads: ThreadPoolExecutor
) -> None:
    workers = open_workers(tasks.wait_for_go, reuse=True)
    running, waiting = (threads.submit(workers.run, [[f"x={x}", f"meeting={meeting}"]], x) for x in (0, 0))
    pid = int(tasks.wait_for(meeting / "pid-0"))
    workers.close()
    assert [type(get_error(job.result()[0])) for job in (running, waiting)] == [WorkerDiedError] * 2
    assert not tasks.is_alive(pid)


def test_a_function_is_called_in_the_process_that_is_ready_and_it_stays_so(open_workers: OpenWorkers) -> None:
    workers = open_workers(tasks.tell_pid, reuse=True)
    (job,) = get_values(workers.run([[]], 0))
    assert [workers.call(tasks.add, 1, two).result() for two in (1, 2)] == [(2, job), (3, job)]
    assert get_values(workers.run([[]], 1)) == [job]


def test_where_each_job_has_a_process_a_function_gets_that_of_the_next_job(
    open_workers: OpenWorkers, meeting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEETING", str(meeting))
    workers = open_workers(tasks.wait_for_the_next_process, reuse=False, preload=["tests.workers.tasks:announce"])
    ((first, (_, second)),) = get_values(workers.run([["x=0"]], 0))
    assert workers.call(tasks.add, 1, 2).result() == (3, int(second))
    # And no other one was started for it.
    ((third, _),) = get_values(workers.run([["x=0"]], 1))
    assert [str(first) == second, str(third) == second] == [False, True]


def test_what_a_called_function_raises_is_raised(open_workers: OpenWorkers) -> None:
    with pytest.raises(ConfigError, match="The cat is not a dog"):
        open_workers(tasks.square).call(tasks.fail, "The cat is not a dog.").result()


def test_a_function_whose_process_is_killed_says_so(open_workers: OpenWorkers, meeting: Path) -> None:
    answer = open_workers(tasks.square).call(tasks.wait_in, meeting)
    os.kill(int(tasks.wait_for(meeting / "pid-call")), signal.SIGKILL)
    with pytest.raises(WorkerDiedError, match="SIGKILL"):
        answer.result()


def test_a_function_waits_until_a_slot_is_free(
    open_workers: OpenWorkers, meeting: Path, threads: ThreadPoolExecutor
) -> None:
    workers = open_workers(tasks.wait_for_go, reuse=True)
    job = threads.submit(workers.run, [["x=0", f"meeting={meeting}"]], 0)
    pid = int(tasks.wait_for(meeting / "pid-0"))
    answer = workers.call(tasks.add, 1, 2)
    assert not answer.done()
    (meeting / "go-0").write_text("go", encoding="utf-8")
    assert get_values(job.result()) == ["go"]
    assert answer.result() == (3, pid)


def test_that_a_job_has_begun_is_known(open_workers: OpenWorkers) -> None:
    workers = open_workers(tasks.square)
    workers.call(tasks.add, 1, 2).result()
    assert not workers.begun.is_set()
    workers.run([["x=2"]], 0)
    assert workers.begun.is_set()
