"""Opening a store: what it makes, and how it says what is wrong."""

from __future__ import annotations

import multiprocessing
import pickle
import shutil
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from src.config.tracking import TrackingConfig
from src.errors import TrackingError
from src.tracking import database
from src.tracking.address import DEFAULT_OUTBOX, locate_outbox, resolve_uri, show_uri, sqlite_path, sqlite_uri
from src.tracking.outbox import deliver_command
from src.tracking.run import start_run
from src.tracking.store import PROJECT_ROOT, Store, connect, name_viewer, open_store


def _open(root: Path) -> Store:
    return open_store(TrackingConfig(), root)


def test_six_processes_may_open_an_empty_folder_at_once(tmp_path: Path) -> None:
    # A folder whose name has to be escaped in a URI, and in another way in a path.
    root = tmp_path / "my project #1 100%"
    # Imported once and then forked, so that the six really begin together.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["src.tracking.store"])
    with context.Pool(6) as pool:
        stores = pool.map(_open, [root] * 6, chunksize=1)

    assert len(set(stores)) == 1
    assert (root / "mlflow.db").stat().st_size > 0
    assert not list(root.glob("*.new*"))
    experiments = connect(stores[0].uri).search_experiments(filter_string="name = 'fitgap'")
    assert [experiment.artifact_location for experiment in experiments] == [
        (root / "mlruns" / "experiment-fitgap").as_uri()
    ]


def test_a_store_is_a_value_that_travels_between_processes(store: Store, tmp_path: Path) -> None:
    assert pickle.loads(pickle.dumps(store)) == store
    assert store.uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert store.outbox == tmp_path / "mlruns" / "outbox"
    assert store.outbox.is_dir()


def test_the_configuration_comes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://from-the-environment:5000/")
    monkeypatch.chdir(tmp_path)

    assert resolve_uri(None, tmp_path) == "http://from-the-environment:5000"
    assert resolve_uri("sqlite:///runs/mine.db", tmp_path) == f"sqlite:///{tmp_path}/runs/mine.db"


def test_artifacts_lie_beside_a_database_elsewhere(tmp_path: Path, migrated_database: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(migrated_database, tmp_path / "elsewhere" / "mine.db")

    store = open_store(TrackingConfig(uri=f"sqlite:///{tmp_path}/elsewhere/mine.db", experiment="a/b"), tmp_path)

    location = connect(store.uri).get_experiment(store.experiment_id).artifact_location
    assert location == (tmp_path / "elsewhere" / "mlruns" / "experiment-a-b").as_uri()


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("htp://localhost:5000", "tracking.uri must be sqlite:///FILE"),
        ("http://", "must name a host"),
        ("./mlruns", "no longer records runs in plain folders"),
        ("file:///tmp/mlruns", "mlflow migrate-filestore"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
    ],
)
def test_a_wrong_uri_is_refused_with_what_to_do(uri: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match=said):
        open_store(TrackingConfig(uri=uri), tmp_path)


def test_a_password_is_not_shown() -> None:
    assert show_uri("postgresql://me:secret@db:5432/runs") == "postgresql://me:***@db:5432/runs"


def test_the_outbox_lies_beside_a_database_file_else_in_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "else where"
    assert locate_outbox(sqlite_uri(elsewhere / "mine.db"), tmp_path) == elsewhere / "mlruns" / "outbox"
    for uri in ("http://localhost:5000", "postgresql://db/runs", "databricks", ""):
        assert locate_outbox(uri, tmp_path) == tmp_path / "mlruns" / "outbox"
    assert locate_outbox() == DEFAULT_OUTBOX == PROJECT_ROOT / "mlruns" / "outbox"

    monkeypatch.setenv("FITGAP_OUTBOX_DIR", str(tmp_path / "mine"))
    for uri in ("http://localhost:5000", sqlite_uri(elsewhere / "mine.db"), ""):
        assert locate_outbox(uri, tmp_path) == tmp_path / "mine"


def test_the_command_that_delivers_names_every_outbox_but_the_default_one(tmp_path: Path) -> None:
    assert deliver_command(DEFAULT_OUTBOX) == "python -m src.deliver"
    assert deliver_command(tmp_path / "my outbox") == f"python -m src.deliver --outbox '{tmp_path}/my outbox'"


@pytest.mark.parametrize(
    ("uri", "viewer"),
    [
        (sqlite_uri(PROJECT_ROOT / "mlflow.db"), "mlflow ui"),
        ("sqlite:////runs/mlflow.db", "mlflow ui --backend-store-uri sqlite:////runs/mlflow.db"),
        ("sqlite:////my runs/mlflow.db", "mlflow ui --backend-store-uri 'sqlite:////my runs/mlflow.db'"),
        ("postgresql://me@db:5432/runs", "mlflow ui --backend-store-uri postgresql://me@db:5432/runs"),
        ("mysql+pymysql://me:secret@db/runs", "mlflow ui --backend-store-uri 'mysql+pymysql://me:***@db/runs'"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("https://me:secret@runs.example.org", "https://me:***@runs.example.org"),
        ("databricks", "databricks"),
    ],
)
def test_a_person_is_told_where_to_look(uri: str, viewer: str, tmp_path: Path) -> None:
    assert name_viewer(Store(uri, "1", "fitgap", tmp_path)) == viewer


def test_a_dead_server_is_named_within_seconds(dead_store: Store, tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(TrackingError, match=f"{dead_store.uri} cannot be used: connection refused"):
        open_store(TrackingConfig(uri=dead_store.uri), tmp_path)
    with pytest.raises(TrackingError, match=dead_store.uri):
        start_run(dead_store, name="never", tags={})

    assert time.monotonic() - begun < 5


def test_a_server_that_accepts_and_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(TrackingError, match="no answer in time"):
            open_store(TrackingConfig(uri=uri), tmp_path)

    assert time.monotonic() - begun < 5


def test_a_dead_database_server_is_given_up_before_mlflow_tries_it_ten_times(tmp_path: Path, dead_store: Store) -> None:
    address = dead_store.uri.removeprefix("http://")
    with pytest.raises(TrackingError, match=r"postgresql://me:\*\*\*@127.0.0.1"):
        open_store(TrackingConfig(uri=f"postgresql://me:secret@{address}/runs"), tmp_path)


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(TrackingError, match=r"file/mlflow\.db cannot be used"):
        open_store(TrackingConfig(), tmp_path / "file")


@pytest.mark.parametrize(
    ("version", "said"),
    [("0123456789ab", "newer MLflow"), ("451aebb31d03", "older MLflow .*mlflow db upgrade"), (None, "not an MLflow")],
)
def test_a_database_of_another_version_is_left_alone(version: str | None, said: str, store: Store) -> None:
    path = sqlite_path(store.uri)
    assert path is not None
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", [version]) if version else database.execute(
            "DROP TABLE alembic_version"
        )
        database.commit()
    before = path.read_bytes()

    with pytest.raises(TrackingError, match=said):
        open_store(TrackingConfig(), path.parent)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("my notes, longer than a hundred bytes. " * 10)

    with pytest.raises(TrackingError, match="file is not a database"):
        open_store(TrackingConfig(), tmp_path)


def test_a_deleted_experiment_is_restored(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    connect(store.uri).delete_experiment(store.experiment_id)

    path = sqlite_path(store.uri)
    assert path is not None
    assert open_store(TrackingConfig(), path.parent) == store
    assert "had been deleted and was restored" in caplog.text
    assert connect(store.uri).get_experiment(store.experiment_id).lifecycle_stage == "active"


def test_only_a_draft_of_a_database_is_left_to_the_systems_cache_and_only_while_it_is_made(tmp_path: Path) -> None:
    def ask_synchronous(path: Path) -> int:
        with create_engine(sqlite_uri(path)).connect() as connection:
            return int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    draft, other = tmp_path / "draft.db", tmp_path / "other.db"
    full = ask_synchronous(other)
    with database._without_waiting_for_disk(draft):
        assert (ask_synchronous(draft), ask_synchronous(other)) == (0, full)
    assert ask_synchronous(draft) == full > 0
