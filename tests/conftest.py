"""What all tests share: a project of their own, so that no test touches the checkout's runs or the user's caches."""

from __future__ import annotations

import json
import shutil
import socket
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hydra import compose, initialize_config_dir

from src.config.composition import register_schemas, to_run_config
from src.config.paths import PROJECT_ROOT
from src.config.run import RunConfig
from src.config.tracking import TrackingConfig

if TYPE_CHECKING:
    from src.tracking.store import Store

#: Third-party images and weights that lie beside some checkouts; tests that want them skip where they are absent.
SHARED = PROJECT_ROOT.parent / "shared"


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for decoded images that all tests of a session share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def compose_run(cache_dir: Path) -> Callable[..., RunConfig]:
    """Composes the shipped configuration with overrides, as the command line does."""

    def composer(*overrides: str) -> RunConfig:
        register_schemas()
        with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
            return to_run_config(compose("train", overrides=[f"dataset.cache_dir={cache_dir}", *overrides]))

    return composer


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database; making one takes seconds, copying it none."""
    with warnings.catch_warnings():
        # MLflow's own models use what SQLAlchemy is about to drop.
        warnings.simplefilter("ignore", DeprecationWarning)
        from src.tracking.database import prepare_database

    path = tmp_path_factory.mktemp("migrated") / "mlflow.db"
    prepare_database(path, path.parent / "mlruns")
    return path


@pytest.fixture
def store(tmp_path: Path, migrated_database: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A local SQLite store in a project root of its own."""
    from src.tracking.store import open_store

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("FITGAP_OUTBOX_DIR", raising=False)
    shutil.copy(migrated_database, tmp_path / "mlflow.db")
    return open_store(TrackingConfig(), tmp_path)


@pytest.fixture
def dead_uri() -> str:
    """The address of a server that is not there: its port was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def make_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the machine one with the given GPUs, each with a name and 24576 MB unless it says otherwise."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    # They are nobody's, and must not be in the way of a sweep that has those of the machine.
    monkeypatch.setenv("FITGAP_CLAIMS_DIR", str(tmp_path / "claims"))
    path = tmp_path / "gpus.json"

    def make(*gpus: dict[str, object]) -> None:
        path.write_text(json.dumps([{"name": "Some GPU", "memory_mb": 24576, **gpu} for gpu in gpus]), encoding="utf-8")
        monkeypatch.setenv("FITGAP_GPUS", str(path))

    return make
