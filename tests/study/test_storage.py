"""Optuna's storage: its address, first starts at once, many writers at once, and what is said when it fails."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import optuna
import pytest

from src.errors import StudyError
from src.study import storage
from src.study.address import show_url, sqlite_url
from src.study.lock import exclusive
from src.study.storage import close_storage, explained, open_storage, resolve_storage


def test_a_storage_that_is_not_named_lies_in_the_projects_mlruns(tmp_path: Path) -> None:
    assert resolve_storage(None, tmp_path) == f"sqlite:///{tmp_path}/mlruns/optuna.db"
    assert resolve_storage("", tmp_path) == f"sqlite:///{tmp_path}/mlruns/optuna.db"


def test_a_relative_file_is_meant_from_the_projects_root(tmp_path: Path) -> None:
    assert resolve_storage("sqlite:///studies/a.db", tmp_path) == f"sqlite:///{tmp_path}/studies/a.db"
    assert resolve_storage("sqlite:////srv/a.db", tmp_path) == "sqlite:////srv/a.db"
    assert resolve_storage("sqlite:///a.db?timeout=5", tmp_path) == f"sqlite:///{tmp_path}/a.db?timeout=5"


def test_a_servers_url_names_the_driver_that_fitgap_asks_for(tmp_path: Path) -> None:
    # SQLAlchemy's own choice for postgresql:// differs between its versions.
    assert resolve_storage("postgresql://me:p%40ss@host/db", tmp_path) == "postgresql+psycopg2://me:p%40ss@host/db"
    assert resolve_storage("postgresql+pg8000://host/db", tmp_path) == "postgresql+pg8000://host/db"


@pytest.mark.parametrize(
    "url", ["studies.db", "oracle://me:secret@host/db", "redis://me:secret@host", "postgresql://me:secret@host:x/db"]
)
def test_an_address_that_no_study_can_be_kept_under_is_refused_with_those_that_can(url: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="must be sqlite:///FILE, postgresql://") as caught:
        resolve_storage(url, tmp_path)
    assert "secret" not in str(caught.value)


def test_the_old_name_of_postgresql_is_explained(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="it is postgresql:// now"):
        resolve_storage("postgres://host/db", tmp_path)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="in memory"):
        resolve_storage(url, tmp_path)


def test_passwords_are_never_shown() -> None:
    assert show_url("postgresql://me:p@ss@host/db") == "postgresql://me:***@host/db"
    assert show_url("postgresql://host/db?user=me&password=pass&x=1") == "postgresql://host/db?user=me&password=***&x=1"
    assert show_url("sqlite:////a/b.db") == "sqlite:////a/b.db"


def test_a_storage_is_created_with_its_folder_and_beats(tmp_path: Path) -> None:
    # Characters that a URL or Optuna's template of URLs would take for their own.
    url = sqlite_url(tmp_path / "new {folder} 100%?" / "optuna.db")
    storage = open_storage(url)
    assert (tmp_path / "new {folder} 100%?" / "optuna.db").is_file()
    assert isinstance(storage, optuna.storages._CachedStorage)
    assert storage.get_heartbeat_interval() == 10
    study = optuna.create_study(storage=storage)
    # The same storage, and with it what it remembers, is used by all that is given it.
    assert study._storage is storage
    close_storage(storage)


def test_six_processes_may_open_a_new_storage_at_once(run_together: Callable[..., list[str]], tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "new" / "optuna.db")
    code = "from src.study.storage import close_storage, open_storage\nclose_storage(open_storage(sys.argv[1]))\n"
    run_together(code, url, count=6)
    storage = open_storage(url)
    assert storage.get_all_studies() == []
    close_storage(storage)


def test_a_lock_is_free_when_its_holder_is_killed(
    start_process: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    url = sqlite_url(tmp_path / "optuna.db")
    code = (
        "import sys\nfrom src.study.lock import exclusive\n"
        "with exclusive(sys.argv[1], 'x'):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    holder = start_process(code, url)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.wait()
    with exclusive(url, "x"):
        pass


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "optuna.db").write_text("no database" * 100)
    with pytest.raises(StudyError, match=r"optuna\.db cannot be used: file is not a database\. Move the file away"):
        open_storage(sqlite_url(tmp_path / "optuna.db"))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match=r"cannot be used: .*Make its folder and file writable"):
        open_storage(sqlite_url(tmp_path / "file" / "optuna.db"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(StudyError, match="no permission to write to"):
        open_storage(sqlite_url(tmp_path / "closed" / "optuna.db"))


def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.execute("INSERT INTO alembic_version VALUES ('abc')")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(StudyError, match="belongs to another program, such as MLflow"):
        open_storage(sqlite_url(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("schema", "expected"), [("v99.0.0.a", "by a newer Optuna"), ("v3.0.0.a", "by an older Optuna .*storage upgrade")]
)
def test_the_schema_of_another_optuna_is_refused_with_the_way_on(
    tmp_path: Path, schema: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = sqlite_url(tmp_path / "optuna.db")
    close_storage(open_storage(url))
    # As another process would, which has not seen the database yet.
    monkeypatch.setattr(storage, "_found_right", set())
    with closing(sqlite3.connect(tmp_path / "optuna.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (schema,))
        connection.commit()
    with pytest.raises(StudyError, match=expected):
        open_storage(url)


def test_a_server_that_is_away_is_a_study_error_without_the_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
    url = resolve_storage("postgresql://me:secret@127.0.0.1:1/db", tmp_path)
    with pytest.raises(StudyError, match=r"cannot be used: connection refused\. See that the server runs") as caught:
        open_storage(url)
    assert "secret" not in str(caught.value)


@pytest.mark.skipif(find_spec("pymysql") is not None, reason="pymysql is installed")
def test_a_missing_driver_comes_with_the_command_that_installs_it() -> None:
    with pytest.raises(StudyError, match=r"not installed: No module named 'pymysql'\. Run `pip install py") as caught:
        open_storage("mysql+pymysql://me:secret@host/db")
    assert "secret" not in str(caught.value)


def test_a_database_that_is_lost_in_between_is_a_study_error(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "optuna.db")
    storage = open_storage(url)
    study = optuna.create_study(storage=storage)
    with closing(sqlite3.connect(tmp_path / "optuna.db")) as connection:
        connection.execute("DROP TABLE study_user_attributes")
    with pytest.raises(StudyError, match="cannot be used: no such table"), explained(url):
        study.set_user_attr("key", 1)


def test_a_database_that_lies_at_the_same_path_since_is_looked_at_anew(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "optuna.db")
    close_storage(open_storage(url))
    (tmp_path / "other.db").write_bytes(b"no database" * 100)
    (tmp_path / "other.db").replace(tmp_path / "optuna.db")
    with pytest.raises(StudyError, match="cannot be used"):
        open_storage(url)
