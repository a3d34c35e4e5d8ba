"""A real PostgreSQL server of our own on this machine."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, NullPool, create_engine
from sqlalchemy.exc import OperationalError

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


class PostgresServer:
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
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str, password: str = PASSWORD) -> str:
        url = URL.create("postgresql+psycopg2", "me", password, "127.0.0.1", self.port, name)
        return url.render_as_string(hide_password=False)

    def execute(self, statement: str) -> None:
        engine = create_engine(self.url("postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except OperationalError:
            return False
        return True


@contextlib.contextmanager
def run_postgresql() -> Iterator[PostgresServer]:
    """Runs a server; the test that wants it is skipped where there is none, or no client."""
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
    if BINARIES is None:
        pytest.skip("PostgreSQL's server is not installed")
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("PostgreSQL does not run as root, and setpriv is not installed")
    # Not in pytest's folder, which other accounts cannot enter; the path of a socket has to be short, too.
    with tempfile.TemporaryDirectory(prefix="fitgap-") as parent:
        Path(parent).chmod(0o755)
        folder = Path(parent) / "server"
        folder.mkdir()
        started = PostgresServer(folder, BINARIES)
        try:
            started.start()
            yield started
        finally:
            started.stop()
