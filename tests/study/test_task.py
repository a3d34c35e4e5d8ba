"""A trial as a launcher runs it: what becomes of every way in which a task function can end."""

from __future__ import annotations

import math
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import numpy as np
import optuna
import pytest
from optuna.storages import BaseStorage

from src.errors import ConfigError, DivergedError
from src.study.outcome import Outcome
from src.study.reporting import current_trial, report, should_stop
from src.study.study import ArmStudy
from src.study.task import TrialTask
from src.study.ticket import Ticket
from tests.study.tickets import make_ticket

Begin = Callable[..., Ticket]


@pytest.fixture
def begin(open_study: Callable[..., ArmStudy], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """Makes this process the job of a new trial, with a ticket that may say something else."""

    def start(**changes: Any) -> Ticket:
        ticket = make_ticket(open_study(), url, tmp_path / "job", **changes)
        ticket.write(tmp_path / "job" / "trial.json")
        monkeypatch.setenv("FITGAP_TRIAL", str(tmp_path / "job" / "trial.json"))
        return ticket

    return start


def run(task_function: Callable[[Any], Any]) -> Outcome:
    """Runs a task function as the trial of this process."""
    return Outcome.from_dict(TrialTask(task_function)({}))


def fail(error: BaseException) -> Callable[[Any], Any]:
    """Returns a task function that raises."""

    def task_function(config: Any) -> Any:
        raise error

    return task_function


def test_without_a_ticket_a_task_is_the_task_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FITGAP_TRIAL", raising=False)
    result = object()
    assert TrialTask(lambda config: (config, result))("config") == ("config", result)
    with pytest.raises(ConfigError, match="wrong"):
        TrialTask(fail(ConfigError("wrong")))({})


def test_the_attributes_of_the_task_function_are_kept() -> None:
    def train(config: Any) -> float:
        """Trains."""
        return 1.0

    train.fitgap_application = "application"  # type: ignore[attr-defined]
    task: Any = TrialTask(train)
    assert (task.__name__, task.__doc__, task.fitgap_application) == ("train", "Trains.", "application")
    assert task.__wrapped__ is train


def test_a_task_travels_to_another_process() -> None:
    factor = 3
    task = cloudpickle.loads(cloudpickle.dumps(TrialTask(lambda config: factor * config)))
    assert isinstance(task, TrialTask)
    assert task(2) == 6


@pytest.mark.parametrize(
    ("result", "metrics"),
    [
        (0.5, {"accuracy": 0.5}),
        (1, {"accuracy": 1.0}),
        (np.float32(0.5), {"accuracy": 0.5}),
        (np.array(0.5), {"accuracy": 0.5}),
        ([0.5], {"accuracy": 0.5}),
        (np.array([0.5]), {"accuracy": 0.5}),
        ({"accuracy": 0.5, "loss": np.float64(2)}, {"accuracy": 0.5, "loss": 2.0}),
        (SimpleNamespace(metrics={"accuracy": 0.5, "gap": 0}), {"accuracy": 0.5, "gap": 0.0}),
    ],
)
def test_what_a_task_function_returns_is_read_in_every_usual_form(
    result: Any, metrics: dict[str, float], begin: Begin
) -> None:
    begin()
    outcome = run(lambda config: result)
    assert (outcome.state, outcome.metrics, outcome.error) == ("complete", metrics, None)
    assert outcome.seconds > 0


@pytest.mark.parametrize("result", [(0.5, 3), [0.5, np.float32(3)], np.array([0.5, 3.0])])
def test_several_numbers_are_the_objectives_in_their_order(result: Any, begin: Begin) -> None:
    begin(objectives=("accuracy", "minutes"))
    assert run(lambda config: result).metrics == {"accuracy": 0.5, "minutes": 3.0}


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "It returned None"),
        ("0.5", r"It returned '0\.5' \(str\)"),
        (object(), "(object)"),
        ([], "It returned"),
        ([0.5, None], "It returned"),
        ([0.5, 0.6], "2 numbers, but hydra.sweeper.objective names accuracy"),
        ({"accuracy": 0.5, "note": "good"}, "note is no number"),
    ],
)
def test_a_result_that_is_no_metric_fails_the_trial_and_says_what_is_accepted(
    result: Any, message: str, begin: Begin
) -> None:
    begin()
    outcome = run(lambda config: result)
    assert (outcome.state, outcome.metrics) == ("failed", {})
    assert outcome.error is not None
    assert outcome.error.startswith("TypeError: The task function must return the objective: a number, one number for")
    assert message.replace("\\", "") in outcome.error


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_objective_that_is_no_number_has_diverged(value: float, begin: Begin) -> None:
    begin()
    outcome = run(lambda config: {"accuracy": value, "loss": 1.0})
    assert outcome.state == "diverged"
    assert outcome.error == f"The objective accuracy is {value}."


def test_another_metric_that_is_no_number_does_no_harm(begin: Begin) -> None:
    begin()
    assert run(lambda config: {"accuracy": 0.5, "note": math.nan}).state == "complete"


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ValueError("defect"), "failed"),
        (ConfigError("wrong"), "failed"),
        (SystemExit(3), "failed"),
        (DivergedError("nan"), "diverged"),
        (MemoryError("big"), "oom"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_no_exception_leaves_a_task(error: BaseException, state: str, begin: Begin) -> None:
    begin()
    outcome = run(fail(error))
    assert outcome.state == state
    assert outcome.error is not None
    assert outcome.error.startswith(type(error).__name__)
    assert outcome.traceback is not None
    assert "task_function" in outcome.traceback


def test_optunas_own_way_to_be_pruned_is_understood(begin: Begin) -> None:
    begin()

    def task_function(config: Any) -> float:
        report(0.25, step=1)
        raise optuna.TrialPruned

    outcome = run(task_function)
    assert (outcome.state, outcome.metrics, outcome.error) == ("pruned", {"accuracy": 0.25}, None)


@pytest.mark.parametrize(
    ("result", "metrics"),
    [
        (None, {"accuracy": 0.1}),
        (0.2, {"accuracy": 0.2}),
        ({"loss": 3.0}, {"accuracy": 0.1, "loss": 3.0}),
        (math.nan, {"accuracy": math.nan}),
    ],
)
def test_a_task_function_that_was_told_to_stop_is_pruned_whatever_it_returns(
    result: Any, metrics: dict[str, float], begin: Begin
) -> None:
    begin(pruner="threshold", pruner_kwargs={"lower": 0.5})

    def task_function(config: Any) -> Any:
        report(0.1, step=1)
        assert should_stop()
        return result

    outcome = run(task_function)
    assert outcome.state == "pruned"
    assert outcome.metrics == pytest.approx(metrics, nan_ok=True)


def test_a_task_function_that_fails_after_it_was_told_to_stop_has_failed(begin: Begin) -> None:
    begin(pruner="threshold", pruner_kwargs={"lower": 0.5})

    def task_function(config: Any) -> Any:
        report(0.1, step=1)
        should_stop()
        raise ValueError("while tidying up")

    assert run(task_function).state == "failed"


def test_the_outcome_is_written_where_the_ticket_says(begin: Begin) -> None:
    ticket = begin()

    def task_function(config: Any) -> float:
        trial = current_trial()
        assert trial is not None
        trial.attach_run("abc")
        return 0.5

    returned = TrialTask(task_function)({})
    assert Outcome.read(Path(ticket.outcome)) == Outcome.from_dict(returned)
    assert returned["run_id"] == "abc"
    assert type(returned) is dict


def test_an_outcome_that_cannot_be_written_is_returned_all_the_same(
    begin: Begin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    begin(outcome=str(tmp_path / "file" / "outcome.json"))
    assert run(lambda config: 0.5).state == "complete"
    assert "cannot be written" in caplog.text


def test_a_ticket_that_cannot_be_read_fails_the_trial(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FITGAP_TRIAL", str(tmp_path / "trial.json"))
    outcome = run(lambda config: 0.5)
    assert outcome.state == "failed"
    assert "which trial it is" in str(outcome.error)


def test_a_process_that_is_used_again_remembers_no_trial(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    begin()
    threads = threading.active_count()
    for task_function in (lambda config: 0.5, fail(ValueError("defect"))):
        run(task_function)
        assert current_trial() is None
        assert threading.active_count() == threads
    monkeypatch.delenv("FITGAP_TRIAL")
    assert TrialTask(lambda config: should_stop())({}) is False


def test_a_task_that_takes_too_long_is_ended_and_the_timer_is_off(begin: Begin) -> None:
    begin(timeout_seconds=0.2)
    before = signal.getsignal(signal.SIGALRM)

    def task_function(config: Any) -> float:
        while True:
            time.sleep(0.01)

    outcome = run(task_function)
    assert outcome.state == "timeout"
    assert str(outcome.error).startswith("TrialTimeoutError: The trial took longer than 0.2 s")
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_task_that_swallows_its_timeout_is_ended_when_it_next_asks(begin: Begin) -> None:
    begin(timeout_seconds=0.05)

    def task_function(config: Any) -> float:
        try:
            signal.sigtimedwait([], 30)
        except Exception:
            should_stop()
        return 0.5

    assert run(task_function).state == "timeout"


def test_outside_of_the_main_thread_a_task_has_no_timer(begin: Begin) -> None:
    begin(timeout_seconds=0.01)
    outcomes: list[Outcome] = []

    def work() -> None:
        outcomes.append(run(lambda config: time.sleep(0.05) or 0.5))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [outcome.state for outcome in outcomes] == ["complete"]


def test_a_running_task_gives_signs_of_life(begin: Begin, tmp_path: Path) -> None:
    ticket = begin(heartbeat_seconds=0.01)
    with closing(sqlite3.connect(tmp_path / "optuna.db", isolation_level=None)) as database:
        database.execute("UPDATE trial_heartbeats SET heartbeat = '2000-01-01 00:00:00'")

        def task_function(config: Any) -> float:
            for _ in range(1000):
                rows = database.execute("SELECT heartbeat FROM trial_heartbeats WHERE trial_id = ?", [ticket.trial_id])
                if rows.fetchone()[0] > "2001":
                    return 1.0
                time.sleep(0.02)
            return 0.0

        assert run(task_function).metrics == {"accuracy": 1.0}


def test_a_storage_that_is_away_does_not_fail_a_task(begin: Begin, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    begin(storage=f"sqlite:///{tmp_path / 'file' / 'optuna.db'}", heartbeat_seconds=0.01)

    def task_function(config: Any) -> float:
        report(0.1, step=1)
        assert not should_stop()
        time.sleep(0.05)
        return 0.5

    assert run(task_function).state == "complete"


@pytest.mark.skipif(sys.platform != "linux", reason="counts the open files of the process")
def test_a_process_that_is_used_again_keeps_no_connection(begin: Begin, storage: BaseStorage) -> None:
    begin(pruner="median", heartbeat_seconds=0.01)

    def task_function(config: Any) -> float:
        report(0.5, step=1)
        should_stop()
        time.sleep(0.1)
        return 0.5

    run(task_function)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        run(task_function)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
