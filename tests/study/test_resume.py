"""A study whose process was killed: whatever moment it was, nothing is lost and nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psutil
import pytest
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from src.study.counts import Counts
from src.study.outcome import Outcome
from src.study.owner import Owner
from src.study.study import ArmStudy
from src.study.telling import enqueue_again

Open = Callable[..., ArmStudy]
Start = Callable[..., subprocess.Popen[str]]

LOST = Outcome("lost", {}, "its process is gone")


def _kill_after(start_process: Start, code: str, url: str, **changes: Any) -> list[str]:
    """Runs code in another process until it has printed `done`, and kills it; returns what it printed before."""
    process = start_process(code + "\nprint('done', flush=True)\nsys.stdin.read()\n", url, json.dumps(changes))
    assert process.stdout
    lines = []
    while (line := process.stdout.readline().strip()) != "done":
        assert line or process.poll() is None, process.communicate()[1]
        lines.append(line)
    # Not waited for: a dead process that is still in the table is dead all the same.
    process.send_signal(signal.SIGKILL)
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    return lines


def test_a_killed_processs_trial_is_found_and_run_again(
    start_process: Start, opened: str, url: str, open_study: Open
) -> None:
    code = opened + "ask = study.ask(owner)\nstudy.place(ask.number, '/sweep/0')\nprint(ask.values['x'])\n"
    (x,) = _kill_after(start_process, code, url)
    study = open_study()
    assert study.resumed
    (lost,) = study.find_lost()
    assert (lost.number, lost.state, lost.folder, lost.attempt) == (0, "running", "/sweep/0", 1)
    view = study.tell(lost.number, LOST, retry=True)
    assert (view.state, view.error) == ("lost", "its process is gone")
    assert study.find_lost() == []
    again = study.ask(Owner.current())
    assert again is not None
    assert (again.number, again.attempt, again.values) == (1, 2, {"x": float(x)})
    assert study.counts() == Counts(complete=0, pruned=0, failed=0, running=1, waiting=0)


def test_a_living_process_keeps_its_trials(start_process: Start, opened: str, url: str, open_study: Open) -> None:
    process = start_process(
        opened + "study.ask(owner)\nprint('done', flush=True)\nsys.stdin.read()\n", url, json.dumps({})
    )
    assert process.stdout
    assert process.stdout.readline() == "done\n"
    study = open_study()
    assert study.find_lost() == []
    study.ask(Owner.current())
    assert study.find_lost() == []


def test_what_a_lost_trial_had_come_to_can_be_told(
    start_process: Start, opened: str, url: str, open_study: Open
) -> None:
    _kill_after(start_process, opened + "study.ask(owner)", url, constraints=["gap <= 0.1"])
    study = open_study(constraints=["gap <= 0.1"])
    (lost,) = study.find_lost()
    study.tell(lost.number, Outcome("complete", {"accuracy": 0.9, "gap": 0.5}, run_id="abc"), retry=True)
    assert study.counts() == Counts(complete=1, pruned=0, failed=0, running=0, waiting=0)
    assert study.best() is None
    assert study.trials()[0].run_id == "abc"


def test_a_process_killed_between_the_repetition_and_the_end_repeats_nothing(open_study: Open) -> None:
    study = open_study()
    ask = study.ask(replace(Owner.current(), started=1.0))
    assert ask is not None
    enqueue_again(study.study, study.study.get_trials()[ask.number], "lost")
    assert study.counts() == Counts(complete=0, pruned=0, failed=0, running=0, waiting=1)
    resumed = open_study()
    (lost,) = resumed.find_lost()
    resumed.tell(lost.number, LOST, retry=True)
    assert resumed.counts() == Counts(complete=0, pruned=0, failed=0, running=0, waiting=1)
    assert [view.retry_of for view in resumed.trials()] == [None, 0]


def test_two_processes_that_find_the_same_trial_lost_have_it_run_again_once(
    run_together: Callable[..., list[str]], opened: str, url: str, open_study: Open
) -> None:
    study = open_study()
    study.ask(replace(Owner.current(), started=1.0))
    code = (
        opened
        + "for lost in study.find_lost():\n    study.tell(lost.number, Outcome('lost', {}), retry=True)\n"
        + "close_storage(storage)\n"
    )
    run_together(code, url, "{}", count=4)
    assert open_study().counts() == Counts(complete=0, pruned=0, failed=0, running=0, waiting=1)


def test_a_process_killed_before_the_parameters_were_chosen_leaves_those_it_was_given(
    open_study: Open, storage: BaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = ["x=interval(0,1)", "y=interval(0,1)"]
    study = open_study([{"y": 0.25}], space=space)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(study.spec.space.dimensions[0].__class__, "suggest", die)
    with pytest.raises(KeyboardInterrupt):
        study.ask(replace(Owner.current(), started=1.0))
    monkeypatch.undo()
    resumed = open_study(space=space)
    (lost,) = resumed.find_lost()
    assert lost.values == {"y": 0.25}
    resumed.tell(lost.number, LOST, retry=True)
    again = resumed.ask(Owner.current())
    assert again is not None
    assert again.values["y"] == 0.25
    assert set(again.values) == {"x", "y"}


def test_a_process_killed_while_it_took_a_trial_leaves_it_to_the_next(
    open_study: Open, storage: BaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = open_study(n_trials=1)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(storage, "record_heartbeat", die)
    with pytest.raises(KeyboardInterrupt):
        study.ask(Owner.current())
    monkeypatch.undo()
    ask = study.ask(Owner.current())
    assert ask is not None
    assert ask.number == 0
    assert study.ask(Owner.current()) is None


def test_a_trial_of_another_machine_is_lost_when_it_has_not_beaten_for_long(
    open_study: Open, url: str, storage: BaseStorage
) -> None:
    elsewhere = replace(Owner.current(), host="elsewhere")
    study = open_study()
    stale, fresh = study.ask(elsewhere), study.ask(elsewhere)
    assert stale is not None
    assert fresh is not None
    assert study.find_lost() == []
    with storage._backend.engine.begin() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql("UPDATE trial_heartbeats SET heartbeat = datetime('now', '-61 seconds')")
    study.beat(fresh.number)
    assert [lost.number for lost in study.find_lost()] == [stale.number]


def test_a_living_process_of_this_machine_keeps_trials_that_wait_for_their_job(
    open_study: Open, storage: BaseStorage
) -> None:
    study = open_study()
    study.ask(Owner.current())
    with storage._backend.engine.begin() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql("UPDATE trial_heartbeats SET heartbeat = datetime('now', '-1 hour')")
    assert study.find_lost() == []


def test_a_running_trial_without_owner_is_lost_after_a_while_only(open_study: Open, storage: BaseStorage) -> None:
    study = open_study()
    trial_id = storage.create_new_trial(study.study._study_id)
    assert storage.get_trial(trial_id).state == TrialState.RUNNING
    assert study.find_lost() == []
    with storage._backend.engine.begin() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql("UPDATE trials SET datetime_start = datetime('now', '-2 minutes')")
    assert [lost.number for lost in study.find_lost()] == [0]


def test_owners_are_told_from_others_with_the_same_number() -> None:
    me = Owner.current()
    assert me.pid == os.getpid()
    assert me.host.split()[0] == socket.gethostname()
    assert me.is_here
    assert not me.is_dead
    assert Owner.from_dict(json.loads(json.dumps(me.to_dict()))) == me
    assert Owner.from_dict({"host": "x"}) is None
    assert replace(me, started=me.started - 60).is_dead
    assert replace(me, pid=2**22 + 1).is_dead
    # Of another machine's process, or another container's, nothing is known.
    assert not replace(me, host=f"{me.host} pid:[1]", started=0.0).is_dead
