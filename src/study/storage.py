"""Optuna's storage: opened by any number of processes at once, with heartbeats, and with errors that say what to do."""

from __future__ import annotations

import os
import re
import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, RDBStorage, get_storage
from sqlalchemy import NullPool, inspect
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from src.errors import StudyError
from src.study.address import DRIVERS, parse_url, resolve_storage, show_url, sqlite_path
from src.study.lock import connect_arguments, exclusive, make_engine

__all__ = [
    "GRACE_SECONDS",
    "HEARTBEAT_SECONDS",
    "close_storage",
    "explained",
    "open_storage",
    "resolve_storage",
]

#: Seconds between two signs of life of a running trial.
HEARTBEAT_SECONDS = 10

#: Seconds without a sign of life after which a trial on another machine counts as lost.
GRACE_SECONDS = 60

#: Databases that this process has found to be right.
_found_right: set[tuple[str, int, int]] = set()


def open_storage(
    url: str, *, heartbeat_seconds: int = HEARTBEAT_SECONDS, grace_seconds: int = GRACE_SECONDS
) -> BaseStorage:
    """Returns Optuna's storage at a resolved URL, created if there is none yet; any number may do so at once.

    What it returns remembers finished trials, so that only those which are not are read again. It may be shared by
    studies and threads; a process that is done with it closes it with `close_storage`. Whether the database is one of
    this Optuna is looked at once by each process: a worker opens it for every trial.

    Args:
        url: What `resolve_storage` has returned.
        heartbeat_seconds: Seconds between two signs of life of a running trial.
        grace_seconds: Seconds without a sign of life after which a trial on another machine counts as lost.

    Raises:
        StudyError: The storage cannot be used; the message says why and what to do, without a password.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    options = {"heartbeat_interval": heartbeat_seconds, "grace_period": grace_seconds}
    with explained(url), _driven(url):
        if _identify(url) in _found_right:
            return get_storage(_connect(url, skip_compatibility_check=True, skip_table_creation=True, **options))
        # SQLite's and PostgreSQL's first use is a race: tables that were not there a moment ago are created twice.
        with exclusive(url, "storage"):
            _check_database(url)
            storage = _connect(url, **options)
        _found_right.add(_identify(url))
        return get_storage(storage)


def close_storage(storage: BaseStorage) -> None:
    """Closes the storage's connections; those of other threads that are in use are closed when these are done."""
    backend = getattr(storage, "_backend", storage)
    if isinstance(backend, RDBStorage):
        backend.remove_session()
        backend.engine.dispose()


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turns what databases, drivers and file systems raise within the block into a `StudyError`."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError, OSError, NotImplementedError) as error:
        raise _unusable(url, _reason(error, url)) from error


def _connect(url: str, **options: Any) -> RDBStorage:
    # A file's connection must not survive in a process that was forked; a server's may have been cut.
    pooling: dict[str, Any] = {"poolclass": NullPool} if sqlite_path(url) else {"pool_pre_ping": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return RDBStorage(
            # Optuna replaces a template of its own in it.
            url.replace("{", "{{").replace("}", "}}"),
            engine_kwargs={"connect_args": connect_arguments(url), **pooling},
            **options,
        )


@contextmanager
def _driven(url: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        parsed = parse_url(url)
        named = parsed.drivername.partition("+")[2] not in ("", "psycopg2", "pymysql")
        todo = "Install it" if named else f"Run `pip install {DRIVERS[parsed.get_backend_name()]}`"
        raise StudyError(
            f"hydra.sweeper.storage is {show_url(url)}, but the driver of this database is not installed: {error}. "
            f"{todo}."
        ) from error


def _identify(url: str) -> tuple[str, int, int]:
    """Returns what tells a database from every other; another file may lie at a path since."""
    path = sqlite_path(url)
    try:
        status = None if path is None else path.stat()
    except FileNotFoundError:
        status = None
    return (url, 0, 0) if status is None else (url, status.st_dev, status.st_ino)


def _check_database(url: str) -> None:
    path = sqlite_path(url)
    if path is not None and path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(f"no permission to write to {path}")
    engine = make_engine(url)
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
    if "alembic_version" in tables and "version_info" not in tables:
        # Optuna would add its tables, and then take the other program's schema for a version of its own.
        raise StudyError(
            f"The database at {show_url(url)} belongs to another program, such as MLflow. Give a study one of its own "
            f"with hydra.sweeper.storage={_example(path)}."
        )
    if "version_info" in tables:
        _check_version(url)


def _check_version(url: str) -> None:
    storage = _connect(url, skip_compatibility_check=True, skip_table_creation=True)
    version, head, known = storage.get_current_version(), storage.get_head_version(), storage.get_all_versions()
    close_storage(storage)
    if version == head:
        return
    path = sqlite_path(url)
    if version in known:
        raise StudyError(
            f"The studies at {show_url(url)} were written by an older Optuna (schema {version}). End everything that "
            f"uses them, make a copy, then run `optuna storage upgrade --storage {shlex.quote(show_url(url))}`; or "
            f"begin anew with hydra.sweeper.storage={_example(path)}."
        )
    raise StudyError(
        f"The studies at {show_url(url)} were written by a newer Optuna (schema {version}) than this one, "
        f"{optuna.__version__}. Use that version, or begin anew with hydra.sweeper.storage={_example(path)}."
    )


def _example(path: Path | None) -> str:
    return "sqlite:///OTHER.db" if path else "postgresql://USER:PASSWORD@HOST/OTHER_DATABASE"


def _reason(error: BaseException, url: str) -> str:
    cause: BaseException = error
    while not isinstance(cause, DBAPIError) and cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, OSError) and cause.strerror:
        return f"{cause.strerror[0].lower()}{cause.strerror[1:]}: {cause.filename}"
    text = " ".join(str(cause.orig if isinstance(cause, DBAPIError) and cause.orig else cause).split())
    password = parse_url(url).password
    if password:
        text = text.replace(str(password), "***")
    for pattern, plain in (
        (r"Connection refused", "connection refused"),
        (r"timeout expired|timed out", "no answer in time"),
        (r"could not translate host name|Name or service not known", "unknown host name"),
        (r"database is locked", "another program has locked the file for a minute"),
    ):
        if re.search(pattern, text, re.IGNORECASE):
            return plain
    return (text if len(text) <= 300 else text[:300] + "…") or type(cause).__name__


def _unusable(url: str, reason: str) -> StudyError:
    path = sqlite_path(url)
    if path is None:
        todo = "See that the server runs, and that its address, user, password and database are right"
    elif "not a database" in reason:
        todo = "Move the file away"
    else:
        todo = "Make its folder and file writable, and see that the disk is not full"
    place = str(path) if path else show_url(url)
    return StudyError(
        f"The study storage {place} cannot be used: {reason}. {todo}; or name another one with "
        "hydra.sweeper.storage=URL."
    )
