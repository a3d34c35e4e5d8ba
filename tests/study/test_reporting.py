"""A job's side of its trial, in real studies: what arrives there, what stops it, and storages that are away."""

from __future__ import annotations

import logging
import math
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import BaseStorage

from src.config.paths import PROJECT_ROOT
from src.study.outcome import Outcome
from src.study.reporting import CurrentTrial, begin_trial, current_trial, report, should_stop
from src.study.study import ArmStudy
from src.study.ticket import Ticket
from tests.study.tickets import make_ticket

OpenStudy = Callable[..., ArmStudy]
Tickets = Callable[..., Ticket]

#: Prunes from the first trial and the first step on.
EAGER = {"pruner": "median", "pruner_kwargs": {"n_startup_trials": 1, "n_warmup_steps": 0}}


@pytest.fixture
def ticket(open_study: OpenStudy, url: str, tmp_path: Path) -> Tickets:
    """Makes tickets for new trials of one study."""
    study = open_study(n_trials=20)
    return lambda **changes: make_ticket(study, url, tmp_path, **changes)


@pytest.fixture
def complete(open_study: OpenStudy, storage: BaseStorage, ticket: Tickets) -> Callable[[list[float]], None]:
    """Completes a trial that has had these values, step by step from 1."""

    def run(values: list[float]) -> None:
        told = ticket()
        for step, value in enumerate(values, start=1):
            storage.set_trial_intermediate_value(told.trial_id, step, value)
        outcome = Outcome("complete", {"accuracy": values[-1]})
        open_study(n_trials=20).tell(told.number, outcome, retry=False)

    return run


def reported(storage: BaseStorage, ticket: Ticket) -> dict[int, float]:
    return storage.get_trial(ticket.trial_id).intermediate_values


def test_outside_of_a_search_nothing_is_reported_and_nothing_stops() -> None:
    report(0.5, step=1)
    assert should_stop() is False
    assert current_trial() is None


def test_what_every_job_imports_at_its_start_is_light() -> None:
    code = (
        "import sys, src.study.reporting, src.study.task, src.study.ticket, src.ending, src.pruning\n"
        "print([name for name in ('optuna', 'numpy', 'tensorflow', 'mlflow', 'sqlalchemy') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert (answer.stdout, answer.stderr) == ("[]\n", "")


def test_reports_arrive_in_the_study(ticket: Tickets, storage: BaseStorage) -> None:
    told = ticket()
    with begin_trial(told) as trial:
        assert current_trial() is trial
        report(0.25, step=1)
        report(0.5, step=2)
    assert reported(storage, told) == {1: 0.25, 2: 0.5}
    assert current_trial() is None


def test_a_value_that_is_no_number_is_not_reported(ticket: Tickets, storage: BaseStorage) -> None:
    told = ticket()
    with begin_trial(told) as trial:
        report(math.nan, step=1)
        assert trial.last_value is None
    assert reported(storage, told) == {}


@pytest.mark.parametrize("changes", [{"reports": False}, {"objectives": ("accuracy", "gap")}])
def test_reports_that_do_not_count_are_ignored(
    changes: dict[str, Any],
    ticket: Tickets,
    complete: Callable[[list[float]], None],
    storage: BaseStorage,
) -> None:
    complete([0.9, 0.9])
    told = ticket(**EAGER, **changes)
    with begin_trial(told):
        report(0.1, step=1)
        assert not should_stop()
    assert reported(storage, told) == {}


def test_the_pruner_of_the_ticket_decides_by_what_other_trials_had_reported(
    ticket: Tickets, complete: Callable[[list[float]], None]
) -> None:
    for last in (0.7, 0.8, 0.9):
        complete([0.5, last])
    with begin_trial(ticket(**EAGER)) as bad:
        report(0.5, step=1)
        assert not should_stop()
        report(0.6, step=2)
        assert should_stop()
        assert bad.pruned
    with begin_trial(ticket(**EAGER)) as good:
        report(0.9, step=1)
        assert not should_stop()
        assert not good.pruned


def test_a_trial_that_was_told_to_stop_is_told_so_again(
    ticket: Tickets, complete: Callable[[list[float]], None]
) -> None:
    complete([0.9, 0.1])
    with begin_trial(ticket(**EAGER)):
        report(0.1, step=1)
        assert should_stop()
        report(0.9, step=2)
        assert should_stop()


def test_a_threshold_prunes_although_optuna_would_load_the_study_with_another_pruner(ticket: Tickets) -> None:
    with begin_trial(ticket(pruner="threshold", pruner_kwargs={"lower": 0.2})):
        report(0.1, step=1)
        assert should_stop()


def test_without_a_pruner_nobody_is_asked(ticket: Tickets, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with begin_trial(ticket(storage=f"sqlite:///{tmp_path / 'nowhere' / 'optuna.db'}")):
        assert not should_stop()
    assert caplog.records == []


def test_a_trial_that_its_parent_has_given_up_stops_at_its_next_report(ticket: Tickets, open_study: OpenStudy) -> None:
    told = ticket()
    with begin_trial(told):
        report(0.1, step=1)
        assert not should_stop()
        open_study(n_trials=20).tell(told.number, Outcome("lost", {}), retry=True)
        report(0.2, step=2)
        assert should_stop()


def test_the_run_of_a_trial_is_known_in_the_study_while_it_is_running(ticket: Tickets, storage: BaseStorage) -> None:
    told = ticket()
    with begin_trial(told) as trial:
        trial.attach_run("abc")
        assert trial.run_id == "abc"
        assert storage.get_trial(told.trial_id).user_attrs["fitgap.run_id"] == "abc"


def test_a_storage_that_is_locked_costs_its_reports_alone_and_is_said_once(
    ticket: Tickets,
    storage: BaseStorage,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = ticket(**EAGER)
    monkeypatch.setattr("src.study.lock.LOCK_SECONDS", 0.05)
    with begin_trial(told) as trial, caplog.at_level(logging.WARNING):
        with closing(sqlite3.connect(tmp_path / "optuna.db")) as other:
            other.execute("BEGIN EXCLUSIVE")
            report(0.1, step=1)
            report(0.2, step=2)
            assert not should_stop()
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "nothing is pruned until its storage answers" in caplog.text
        # It is left alone for a while, for some times as long as it was waited for.
        for _ in range(200):
            report(0.3, step=3)
            if reported(storage, told):
                break
            time.sleep(0.05)
        assert trial.last_value == 0.3
        assert len(caplog.records) == 1
    assert reported(storage, told) == {3: 0.3}


def test_a_server_that_is_gone_does_not_end_a_trial_and_its_password_is_not_shown(
    ticket: Tickets, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("psycopg2")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"postgresql+psycopg2://me:secret@127.0.0.1:{free.getsockname()[1]}/studies"
        with begin_trial(ticket(storage=url, **EAGER)) as trial, caplog.at_level(logging.WARNING):
            trial.attach_run("abc")
            report(0.1, step=1)
            trial.beat()
            assert not should_stop()
    (record,) = caplog.records
    assert "connection refused" in record.getMessage()
    assert "secret" not in record.getMessage()


def test_a_sign_of_life_is_recorded(ticket: Tickets, tmp_path: Path) -> None:
    told = ticket()
    with closing(sqlite3.connect(tmp_path / "optuna.db")) as database:
        database.execute("DELETE FROM trial_heartbeats")
        database.commit()
        trial = CurrentTrial(told)
        trial.beat()
        trial.close()
        assert database.execute("SELECT trial_id FROM trial_heartbeats").fetchall() == [(told.trial_id,)]


def test_a_value_is_beaten_once_enough_complete_trials_are_at_least_as_good(
    complete: Callable[[list[float]], None], ticket: Tickets
) -> None:
    complete([0.5])
    complete([0.75])
    trial = CurrentTrial(ticket())
    assert [trial.is_beaten(value, 1) for value in (0.8, 0.75, 0.6)] == [False, True, True]
    assert [trial.is_beaten(value, 2) for value in (0.6, 0.5, 0.4)] == [False, True, True]


def test_no_training_is_beaten_whose_value_is_not_the_trials(
    complete: Callable[[list[float]], None], ticket: Tickets
) -> None:
    complete([0.75])
    assert not CurrentTrial(ticket(reports=False)).is_beaten(0.5, 1)
    assert not CurrentTrial(ticket(objectives=("accuracy", "gap"))).is_beaten(0.5, 1)


def test_nothing_is_known_to_be_beaten_while_the_storage_is_away(ticket: Tickets, tmp_path: Path) -> None:
    assert not CurrentTrial(ticket(storage=f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}")).is_beaten(0.5, 1)
