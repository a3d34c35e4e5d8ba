"""A study in PostgreSQL: a real server on this machine, asked by several processes at once."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import URL, NullPool, create_engine
from sqlalchemy.exc import OperationalError

from src.errors import StudyError
from src.study.counts import Counts
from src.study.lock import exclusive
from src.study.outcome import Outcome
from src.study.owner import Owner
from src.study.storage import close_storage, open_storage, resolve_storage
from src.study.study import ArmStudy, StudySpec

pytest.importorskip("psycopg2", reason="psycopg2 is not installed")

#: Characters that a URL has uses of its own for.
PASSWORD = "s:e/c@r%e{t}"


def _find_binaries() -> Path | None:
    found = shutil.which("initdb")
    if found and Path(found).with_name("postgres").exists():
        return Path(found).parent
    # Where Debian's package keeps them.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    return folders[-1].parent if folders else None


BINARIES = _find_binaries()


class Server:
    """A PostgreSQL server on the loopback interface, with its files in a folder of its own."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self._binaries = binaries
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        # It refuses to run as root.
        self._prefix: list[str] = []
        if os.geteuid() == 0:
            account = pwd.getpwnam("nobody")
            os.chown(folder, account.pw_uid, account.pw_gid)
            ids = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
            self._prefix = ["setpriv", *ids]
        secret = folder / "secret"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        command = [*self._prefix, str(binaries / "initdb"), "--pgdata", str(self._data), "--no-sync"]
        options = ["--username=me", f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        subprocess.run([*command, *options], check=True, capture_output=True, cwd=folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._folder = folder

    def start(self) -> None:
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(self._folder), "fsync": "off"}
        options = [f"--{key}={value}" for key, value in settings.items()]
        command = [*self._prefix, str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        with (self._folder.parent / f"{self._folder.name}.log").open("ab") as log:
            self._process = subprocess.Popen([*command, *options], stdout=log, stderr=log, cwd=self._folder)
        while not self._answers():
            assert self._process.poll() is None

    def stop(self) -> None:
        if self._process:
            # Ends its connections, then itself.
            self._process.send_signal(signal.SIGINT)
            self._process.wait()

    def create_database(self, name: str) -> str:
        self._execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str, password: str = PASSWORD) -> str:
        url = URL.create("postgresql", "me", password, "127.0.0.1", self.port, name)
        return resolve_storage(url.render_as_string(hide_password=False), self._folder)

    def _execute(self, statement: str) -> None:
        engine = create_engine(self.url("postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)

    def _answers(self) -> bool:
        try:
            self._execute("SELECT 1")
        except OperationalError:
            return False
        return True


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if BINARIES is None:
        pytest.skip("PostgreSQL's server is not installed")
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("PostgreSQL does not run as root, and setpriv is not installed")
    # Not in pytest's folder, which other accounts cannot enter; the path of a socket has to be short, too.
    with tempfile.TemporaryDirectory(prefix="fitgap-") as parent:
        Path(parent).chmod(0o755)
        folder = Path(parent) / "server"
        folder.mkdir()
        started = Server(folder, BINARIES)
        started.start()
        yield started
        started.stop()


@pytest.fixture
def url(server: Server, request: pytest.FixtureRequest) -> str:
    """The URL of a new database."""
    return server.create_database(request.node.name[:60])


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


def test_a_server_that_was_away_is_spoken_to_again(server: Server, open_study: Open) -> None:
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


def test_a_wrong_password_and_a_missing_database_are_named_without_the_password(server: Server) -> None:
    for url, expected in (
        (server.url("postgres", "wr/ong"), "password authentication failed"),
        (server.url("nowhere"), 'database "nowhere" does not exist'),
    ):
        with pytest.raises(StudyError, match=expected) as caught:
            open_storage(url)
        assert "wr/ong" not in str(caught.value)
        assert PASSWORD not in str(caught.value)
        assert "me:***@127.0.0.1" in str(caught.value)
