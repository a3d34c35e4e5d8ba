"""The local SQLite database: created once, whole, and never upgraded behind the user's back."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic.script import ScriptDirectory
from filelock import FileLock, Timeout
from mlflow.exceptions import MlflowException
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import Engine, event

from src.errors import TrackingError
from src.tracking.address import short_reason, sqlite_uri

#: Seconds to wait for another process that is creating the same database; one takes about six at worst.
_LOCK_SECONDS = 60


def lock_database(path: Path) -> FileLock:
    """Returns a lock beside the database, acquired; creates the folder.

    Raises:
        TrackingError: The folder cannot be written, or another process holds the lock for a minute.
    """
    lock = FileLock(f"{path}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_LOCK_SECONDS)
    except Timeout as error:
        raise TrackingError(f"Another process has held {path}.lock for {_LOCK_SECONDS} seconds; end it.") from error
    except (OSError, NotImplementedError) as error:
        raise _unusable(path, error) from error
    return lock


def prepare_database(path: Path, artifacts: Path) -> None:
    """Creates the database if there is none, else makes sure that this MLflow can use it as it is.

    The caller holds `lock_database(path)`: SQLite's first use is a race. A new database is made under another name and
    moved into place, so that a process killed in between leaves nothing half-made.

    Args:
        path: The database file.
        artifacts: Folder for the artifacts of MLflow's own default experiment.

    Raises:
        TrackingError: The file is no MLflow database, of another version of MLflow, or cannot be written.
    """
    try:
        version = _schema_version(path)
        if version is None:
            _create(path, artifacts)
            return
    except sqlite3.DatabaseError as error:
        raise TrackingError(
            f"{path} cannot be used as a tracking database: {error}. Move the file away, or name another one with "
            "tracking.uri."
        ) from error
    except (OSError, MlflowException) as error:
        raise _unusable(path, error) from error
    _check_version(path, version)
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        raise _unusable(path, PermissionError("no permission to write"))


def _schema_version(path: Path) -> str | None:
    """Returns the revision of MLflow's schema; None for a file that is missing or empty, "" for a foreign database."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    with closing(sqlite3.connect(path, timeout=20)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return None
        if "alembic_version" not in tables or "experiments" not in tables:
            return ""
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else ""


def _check_version(path: Path, version: str) -> None:
    scripts = ScriptDirectory.from_config(_get_alembic_config(db_url=""))  # type: ignore[no-untyped-call]
    if version in scripts.get_heads():
        return
    if not version:
        raise TrackingError(f"{path} is not an MLflow database. Move it away, or name another file with tracking.uri.")
    if version in {script.revision for script in scripts.walk_revisions()}:
        raise TrackingError(
            f"{path} was written by an older MLflow (schema {version}). End everything that uses it, copy the file, "
            f"then run `mlflow db upgrade '{sqlite_uri(path)}'`; or name another file with tracking.uri."
        )
    raise TrackingError(
        f"{path} was written by a newer MLflow (schema {version}). Use that version, or name another file with "
        "tracking.uri."
    )


def _create(path: Path, artifacts: Path) -> None:
    draft = path.with_name(f"{path.name}.new")
    for leftover in path.parent.glob(f"{draft.name}*"):
        leftover.unlink()
    with _without_waiting_for_disk(draft):
        store = SqlAlchemyStore(sqlite_uri(draft), artifacts.as_uri())  # type: ignore[no-untyped-call]
        store.engine.dispose()
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)


@contextmanager
def _without_waiting_for_disk(draft: Path) -> Iterator[None]:
    """Has SQLite leave a file that nobody else needs yet to the system's cache, for the time of the block.

    MLflow makes its tables in seventy steps, after each of which the disk would be waited for: for seconds where other
    programs write to it too.
    """

    def relax(connection: object, record: object) -> None:
        # Every engine of the process tells of its connections, of whatever database.
        if not isinstance(connection, sqlite3.Connection):
            return
        names = [os.path.realpath(name) for _, _, name in connection.execute("PRAGMA database_list") if name]
        if os.path.realpath(draft) in names:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = MEMORY")

    event.listen(Engine, "connect", relax)
    try:
        yield
    finally:
        event.remove(Engine, "connect", relax)


def _unusable(path: Path, error: BaseException) -> TrackingError:
    return TrackingError(
        f"The tracking database {path} cannot be used: {short_reason(error)}. Make its folder writable and see that "
        "the disk is not full, or name another file with tracking.uri."
    )
