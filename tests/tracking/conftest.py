"""Real stores for the tracking tests: a tracking server of our own, besides the SQLite file that all tests copy."""

from __future__ import annotations

import dataclasses
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from src.config.tracking import TrackingConfig

with warnings.catch_warnings():
    # MLflow's own models use what SQLAlchemy is about to drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    from src.tracking.store import Store, open_store


@pytest.fixture(autouse=True)
def _no_tracking_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "FITGAP_OUTBOX_DIR"):
        monkeypatch.delenv(name, raising=False)


class Server:
    """A `mlflow server` on the loopback that can be killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self._process is not None:
            return
        command = [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)),
            *("--backend-store-uri", f"sqlite:///{self.folder / 'server.db'}", "--workers", "1"),
            *("--artifacts-destination", str(self.folder / "artifacts")),
        ]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, start_new_session=True)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError((self.folder / "server.log").read_text())

    def kill(self) -> None:
        if self._process is None:
            return
        import os

        # The group, because the server's worker is a process of its own.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None


@pytest.fixture(scope="session")
def _server(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(migrated_database, folder / "server.db")
    server = Server(folder)
    yield server
    server.kill()


@pytest.fixture
def server(_server: Server) -> Server:
    """A running server; a test may kill it."""
    _server.start()
    return _server


@pytest.fixture
def server_store(server: Server, tmp_path: Path) -> Store:
    return open_store(TrackingConfig(uri=server.uri), tmp_path)


@pytest.fixture
def dead_store(store: Store, dead_uri: str) -> Store:
    """A store whose server is not there."""
    return dataclasses.replace(store, uri=dead_uri)


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Waits for up to 20 seconds until something has become true."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "It did not become true."
            time.sleep(0.05)

    return wait
