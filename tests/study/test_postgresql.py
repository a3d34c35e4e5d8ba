"""A study in PostgreSQL: a real server on this machine, asked by several processes at once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import NullPool, create_engine

from src.config.paths import PROJECT_ROOT
from src.errors import StudyError
from src.study.counts import Counts
from src.study.lock import exclusive
from src.study.outcome import Outcome
from src.study.owner import Owner
from src.study.storage import close_storage, open_storage, resolve_storage
from src.study.study import ArmStudy, StudySpec
from tests.postgresql import PASSWORD, PostgresServer, run_postgresql


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with run_postgresql() as running:
        yield running


@pytest.fixture
def url(server: PostgresServer, request: pytest.FixtureRequest) -> str:
    """The URL of a new database."""
    return resolve_storage(server.create_database(request.node.name[:60]), PROJECT_ROOT)


Open = Callable[..., ArmStudy]


@pytest.fixture
def open_study(url: str, make_spec: Callable[..., StudySpec]) -> Iterator[Open]:
    storage = open_storage(url)
    yield lambda **changes: ArmStudy.open(storage, url, make_spec(**changes))
    close_storage(storage)


def test_six_processes_may_begin_a_study_at_once(run_together: Callable[..., list[str]], opened: str, url: str) -> None:
    printed = run_together(opened + "print(study.resumed)\nclose_storage(storage)\n", url, "{}", count=6)
    assert sorted(printed) == ["False\n"] + ["True\n"] * 5


def test_six_processes_share_a_total(
    run_together: Callable[..., list[str]], opened: str, url: str, open_study: Open
) -> None:
    code = (
        opened
        + """
while (ask := study.ask(owner)) is not None:
    study.report(ask.number, 0.5, 0)
    retry = ask.attempt == 1 and ask.number % 3 == 0
    study.tell(ask.number, Outcome("oom" if retry else "complete", {"accuracy": ask.values["x"]}), retry=retry)
    print(ask.number)
close_storage(storage)
"""
    )
    printed = run_together(code, url, json.dumps({"n_trials": 18}), count=6)
    study = open_study(n_trials=18)
    assert study.counts() == Counts(complete=18, pruned=0, failed=0, running=0, waiting=0)
    assert sorted(int(line) for output in printed for line in output.split()) == list(range(len(study.trials())))
    assert study.ask(Owner.current()) is None


def test_a_killed_processs_trial_is_run_again(
    start_process: Callable[..., subprocess.Popen[str]], opened: str, url: str, open_study: Open
) -> None:
    code = opened + "print(study.ask(owner).values['x'], flush=True)\nsys.stdin.read()\n"
    process = start_process(code, url, json.dumps({"constraints": ["gap <= 0.1"]}))
    assert process.stdout
    x = float(process.stdout.readline())
    study = open_study(constraints=["gap <= 0.1"])
    assert study.find_lost() == []
    process.kill()
    process.wait()
    (lost,) = study.find_lost()
    study.tell(lost.number, Outcome("lost", {}), retry=True)
    again = study.ask(Owner.current())
    assert again is not None
    assert (again.attempt, again.values) == (2, {"x": x})
    view = study.tell(again.number, Outcome("complete", {"accuracy": 0.5, "gap": float("nan")}), retry=False)
    assert not view.feasible
    assert study.counts() == Counts(complete=1, pruned=0, failed=0, running=0, waiting=0)


def test_a_lock_is_free_when_its_holder_is_killed(
    start_process: Callable[..., subprocess.Popen[str]], url: str
) -> None:
    code = (
        "import sys\nfrom src.study.lock import exclusive\n"
        "with exclusive(sys.argv[1], 'x'):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    holder = start_process(code, url)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    with exclusive(url, "y"):
        pass
    holder.kill()
    holder.wait()
    with exclusive(url, "x"):
        pass


def test_a_trial_of_another_machine_is_lost_when_it_has_not_beaten_for_long(url: str, open_study: Open) -> None:
    study = open_study()
    asks = [study.ask(replace(Owner.current(), host="elsewhere")) for _ in range(2)]
    stale, fresh = [ask.number for ask in asks if ask]
    assert study.find_lost() == []
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE trial_heartbeats SET heartbeat = now() - interval '61 seconds'")
    study.beat(fresh)
    assert [lost.number for lost in study.find_lost()] == [stale]


def test_a_server_that_was_away_is_spoken_to_again(server: PostgresServer, open_study: Open) -> None:
    study = open_study()
    first = study.ask(Owner.current())
    assert first is not None
    server.stop()
    with pytest.raises(StudyError, match=r"cannot be used: connection refused\. See that the server runs") as caught:
        study.ask(Owner.current())
    assert PASSWORD not in str(caught.value)
    server.start()
    study.tell(first.number, Outcome("complete", {"accuracy": 0.5}), retry=False)
    assert study.ask(Owner.current()) is not None


def test_a_wrong_password_and_a_missing_database_are_named_without_the_password(server: PostgresServer) -> None:
    for url, expected in (
        (server.url("postgres", "wr/ong"), "password authentication failed"),
        (server.url("nowhere"), 'database "nowhere" does not exist'),
    ):
        with pytest.raises(StudyError, match=expected) as caught:
            open_storage(url)
        assert "wr/ong" not in str(caught.value)
        assert PASSWORD not in str(caught.value)
        assert "me:***@127.0.0.1" in str(caught.value)
