"""Searches whose processes are killed or interrupted for real: whatever dies, the search comes to its total."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from mlflow.tracking import MlflowClient

from src.study.outcome import Outcome
from tests.sweep.site import MISBEHAVING, PARABOLOID, Site, check_books, is_alive, read_until, wait_until
from tests.tiny import TINY

#: A search of two slots.
SEARCH = ("x=interval(-5,5)", "hydra/launcher=fitgap", "hydra.sweeper.n_jobs=2", "hydra.sweeper.pruner=none")


@pytest.fixture
def site(tmp_path: Path, migrated_database: Path) -> Iterator[Site]:
    site = Site(tmp_path, migrated_database)
    yield site
    site.close()


@pytest.fixture
def empty_site(tmp_path: Path) -> Iterator[Site]:
    """A folder in which not even the databases are there."""
    site = Site(tmp_path, None)
    yield site
    site.close()


def kill(process: subprocess.Popen[str]) -> None:
    """Kills a search's own process, and reads what it had printed."""
    process.kill()
    process.communicate()


def test_a_killed_worker_costs_its_own_attempt_alone(site: Site) -> None:
    site.hold()
    process = site.start(MISBEHAVING, *SEARCH, "hydra.sweeper.n_trials=3")
    victim, other = sorted(site.await_begun(2), key=lambda note: int(note["job"]))
    os.kill(victim["pid"], signal.SIGKILL)
    again = site.await_begun(3)[2]
    assert is_alive(other["pid"])
    site.let_go()
    answer = site.finish(process)

    assert answer.code == 0, answer.output
    check_books(site, 3)
    assert (again["x"], again["job"]) == (victim["x"], 2)
    assert [trial.retry_of for trial in site.trials()] == [None, None, 0, None]
    assert [note["job"] for note in site.begun() if note["x"] == other["x"]] == [1]
    lost = site.children()[0]
    assert (lost.info.status, lost.data.tags["fitgap.state"]) == ("KILLED", "lost")
    assert "SIGKILL" in lost.data.tags["fitgap.error"]
    assert [trial.state for trial in site.trials()] == ["lost", "complete", "complete", "complete"]


def test_a_trial_over_seeds_that_is_run_again_trains_those_alone_that_had_not_come_to_their_end(site: Site) -> None:
    settings = ("hydra.sweeper.sampler=grid", "hydra.sweeper.n_trials=1", "hydra.sweeper.seeds=[0,1,2]")
    answer = site.run(MISBEHAVING, "x=choice(1)", "how=kill-once-at-seed-1", "hydra/launcher=fitgap", *settings)
    assert answer.code == 0, answer.output
    check_books(site, 1)
    assert [note["seed"] for note in site.begun()] == [0, 1, 1, 2]
    lost, again = site.trials()
    assert (lost.state, again.state) == ("lost", "complete")
    assert again.metrics["num_seeds"] == 3
    assert again.objectives == (pytest.approx(1.01),)


def test_after_a_killed_parent_the_same_command_goes_on_and_runs_what_was_lost_again(site: Site) -> None:
    command = (*SEARCH, "hydra.sweeper.n_trials=4")
    site.hold()
    process = site.start(MISBEHAVING, *command)
    first = site.await_begun(2)
    kill(process)
    for note in first:
        wait_until(lambda pid=note["pid"]: not is_alive(pid), "a worker whose parent is dead has ended")
    parent = site.parent().info.run_id
    site.let_go()
    answer = site.run(MISBEHAVING, *command)

    assert answer.code == 0, answer.output
    assert "will be run again" in answer.words
    check_books(site, 4)
    assert (site.parent().info.run_id, site.parent().info.status) == (parent, "FINISHED")
    assert [trial.state for trial in site.trials()] == ["lost", "lost"] + ["complete"] * 4
    for note in first:
        assert len([other for other in site.begun() if other["x"] == note["x"]]) == 2


@pytest.mark.slow
def test_a_process_that_has_joined_a_search_reports_on_it_where_the_one_that_led_it_was_killed(site: Site) -> None:
    command = (*SEARCH, "hydra.sweeper.n_jobs=1", "hydra.sweeper.n_trials=3")
    site.hold()
    leading = site.start(MISBEHAVING, *command)
    site.await_begun(1)
    joined = site.start(MISBEHAVING, *command)
    site.await_begun(2)
    kill(leading)
    site.let_go()
    answer = site.finish(joined)
    assert answer.code == 0, answer.output
    check_books(site, 3)
    assert site.parent().info.status == "FINISHED"
    assert [trial.state for trial in site.trials()] == ["lost", "complete", "complete", "complete"]
    assert "winner.yaml" in site.artifacts(site.parent())


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2)])
def test_a_search_whose_parent_is_killed_three_times_in_a_row_loses_nothing(seed: int, site: Site) -> None:
    command = (*SEARCH, "hydra.sweeper.n_trials=12", "pause=0.3")
    moments = random.Random(seed)
    for _ in range(3):
        begun = len(site.begun())
        process = site.start(MISBEHAVING, *command)
        site.await_begun(begun + moments.randint(1, 3))
        time.sleep(moments.random())
        kill(process)
    answer = site.run(MISBEHAVING, *command)
    assert answer.code == 0, answer.output
    check_books(site, 12)
    assert site.parent().info.status == "FINISHED"


def test_ctrl_c_once_waits_for_the_running_trials_twice_does_not_and_both_are_gone_on_with(site: Site) -> None:
    command = (*SEARCH, "hydra.sweeper.n_trials=5")
    site.hold()
    process = site.start(MISBEHAVING, *command)
    site.await_begun(2)
    process.send_signal(signal.SIGINT)
    read_until(process, "Waiting for 2 running")
    site.let_go()
    answer = site.finish(process)
    assert answer.code == 130, answer.output
    assert "Traceback" not in answer.output
    assert "run the same command again" in answer.words
    parent = site.parent()
    assert (parent.info.status, parent.data.tags["fitgap.state"]) == ("KILLED", "interrupted")
    assert [trial.state for trial in site.trials()] == ["complete", "complete"]

    site.hold()
    process = site.start(MISBEHAVING, *command)
    interrupted = site.await_begun(4)[2:]
    process.send_signal(signal.SIGINT)
    read_until(process, "Waiting for 2 running")
    process.send_signal(signal.SIGINT)
    answer = site.finish(process)
    # The trials are held for good, so that it can only have ended without them.
    assert answer.code == 130, answer.output
    assert not any(is_alive(note["pid"]) for note in interrupted)
    assert [trial.state for trial in site.trials()[:4]] == ["complete"] * 2 + ["interrupted"] * 2

    site.let_go()
    answer = site.run(MISBEHAVING, *command)
    assert answer.code == 0, answer.output
    check_books(site, 5)
    assert (site.parent().info.run_id, site.parent().info.status) == (parent.info.run_id, "FINISHED")
    for note in interrupted:
        assert len([other for other in site.begun() if other["x"] == note["x"]]) == 2


@pytest.mark.parametrize(
    ("app", "code"),
    [
        (MISBEHAVING, 143),
        # An application that does not use `run_command` ends as Python ends a program on Ctrl-C.
        pytest.param(PARABOLOID, -signal.SIGINT, marks=pytest.mark.slow),
    ],
    ids=["ours", "foreign"],
)
def test_sigterm_ends_a_search_at_once(app: Path, code: int, site: Site) -> None:
    site.hold()
    search = [*SEARCH, "hydra.sweeper.n_trials=5000"]
    process = site.start(app, *search)
    if app == MISBEHAVING:
        site.await_begun(2)
    else:
        read_until(process, "#0 complete")
    process.terminate()
    answer = site.finish(process)
    assert answer.code == code, answer.output
    parent = site.parent()
    assert (parent.info.status, parent.data.tags["fitgap.state"]) == ("KILLED", "interrupted")


def test_what_an_earlier_search_has_left_in_the_same_folder_does_not_pass_for_the_outcome_of_a_dead_job(
    site: Site,
) -> None:
    (site.folder / "same" / "0").mkdir(parents=True)
    Outcome("complete", {"value": 7.0}).write(site.folder / "same" / "0" / "outcome.json")
    answer = site.run(MISBEHAVING, *SEARCH, "hydra.sweep.dir=same", "hydra.sweeper.n_trials=1", "how=kill-once")
    assert answer.code == 0, answer.output
    assert [trial.state for trial in site.trials()] == ["lost", "complete"]


@pytest.mark.slow
def test_processes_that_start_the_same_search_at_the_same_moment_share_it(empty_site: Site) -> None:
    site = empty_site
    command = (*SEARCH, "hydra.sweeper.n_jobs=1", "hydra.sweeper.n_trials=12", "pause=0.5")
    processes = [site.start(MISBEHAVING, *command) for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(site.finish, processes))
    assert [answer.code for answer in answers] == [0] * 6, "\n\n".join(answer.output for answer in answers)
    check_books(site, 12)
    assert site.parent().info.status == "FINISHED"
    assert len({note["pid"] for note in site.begun()}) > 1


@pytest.mark.slow
def test_eight_trials_at_a_time_write_to_the_same_files(empty_site: Site) -> None:
    site = empty_site
    answer = site.run(PARABOLOID, *SEARCH, "hydra.sweeper.n_jobs=8", "hydra.sweeper.n_trials=24", "steps=50")
    assert answer.code == 0, answer.output
    check_books(site, 24)
    assert all(len(trial.intermediate) == 50 for trial in site.trials())


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_hydras_other_launchers_run_a_search(launcher: str, site: Site) -> None:
    search = ["x=interval(-5,5)", "hydra.sweeper.n_jobs=2", "hydra.sweeper.n_trials=3"]
    answer = site.run(MISBEHAVING, f"hydra/launcher={launcher}", *search)
    assert answer.code == 0, answer.output
    check_books(site, 3)
    assert os.getpid() not in {note["pid"] for note in site.begun()}
    assert all(site.folder in Path(trial.folder or "").parents for trial in site.trials())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_trainings_that_are_killed_or_interrupted_within_an_epoch_are_run_again_and_keep_what_they_had_logged(
    site: Site, cache_dir: Path
) -> None:
    settings = ["trainer.epochs=40", "hydra.sweeper.n_trials=3", "hydra.sweeper.pruner=none"]
    command = ["sweeps=quick", *TINY, *settings, f"dataset.cache_dir={cache_dir}"]
    process = site.train(*command)
    os.kill(_await_training(process, site.folder / "output" / "0" / "output.log"), signal.SIGKILL)
    # The next trial is the same once more.
    worker = _await_training(process, site.folder / "output" / "1" / "output.log")
    process.send_signal(signal.SIGINT)
    read_until(process, "Waiting for 1 running")
    process.send_signal(signal.SIGINT)
    answer = site.finish(process)
    assert answer.code == 130, answer.output
    assert not is_alive(worker)
    assert [trial.state for trial in site.trials()][:2] == ["lost", "interrupted"]
    assert {run.info.status for run in site.runs()} == {"KILLED"}

    answer = site.finish(site.train(*command))
    assert answer.code == 0, answer.output
    check_books(site, 3)
    lost, interrupted, again, *_ = site.children()
    assert [run.data.tags["fitgap.state"] for run in (lost, interrupted, again)] == ["lost", "interrupted", "complete"]
    for run in (lost, interrupted):
        points = MlflowClient(site.uri).get_metric_history(run.info.run_id, "val_accuracy")
        assert [point.step for point in points] == list(range(1, len(points) + 1))
        assert len(points) >= 4
        assert run.data.params["model.dropout"] == again.data.params["model.dropout"]
    assert site.parent().info.status == "FINISHED"
    assert "test_accuracy" in site.parent().data.metrics


def _await_training(process: subprocess.Popen[str], output: Path) -> int:
    """Waits until a training has done some of its epochs, and returns its process."""
    wait_until(
        lambda: output.exists() and "5/40" in output.read_text(encoding="utf-8"), f"{output} tells of five epochs"
    )
    (worker,) = [child.pid for child in psutil.Process(process.pid).children() if _prints_to(child.pid, output)]
    return worker


def _prints_to(pid: int, path: Path) -> bool:
    """Whether a process's standard output is a file."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/fd/1").readlink() == path
    return False
