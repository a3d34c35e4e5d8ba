"""Real stores for the tracking tests: a tracking server of our own, besides the SQLite file that all tests copy."""

from __future__ import annotations

import dataclasses
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from src.config.tracking import TrackingConfig
from tests.tracking.server import Server

with warnings.catch_warnings():
    # MLflow's own models use what SQLAlchemy is about to drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    from src.tracking.store import Store, open_store


@pytest.fixture(autouse=True)
def _no_tracking_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "FITGAP_OUTBOX_DIR"):
        monkeypatch.delenv(name, raising=False)


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
    """An experiment of the test's own on the server, which all tests of a process share."""
    return open_store(TrackingConfig(uri=server.uri, experiment=tmp_path.name), tmp_path)


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
