"""A lock that all processes which share a storage have in common: a file beside SQLite's, an advisory one elsewhere."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, NullPool, create_engine, text

from src.errors import StudyError
from src.study.address import parse_url, show_url, sqlite_path

#: Seconds to wait for another process that holds the lock; it is held for some tenths of a second.
LOCK_SECONDS = 60

#: Seconds after which PostgreSQL takes the lock from a process whose machine has vanished.
_HOLD_SECONDS = 120

#: One thread of a process at a time asks for a lock, which keeps the others from waiting on connections of their own.
_threads = threading.Lock()


@contextmanager
def exclusive(url: str, name: str) -> Iterator[None]:
    """Keeps other processes and threads out until the block ends; the lock of a process that dies is free at once.

    Not reentrant. SQLite has one lock for the whole file, as it has one writer.

    Args:
        url: A resolved URL of a storage.
        name: What is locked within the storage, such as the name of a study.

    Raises:
        StudyError: Another process has held the lock for a minute.
        OSError: The folder of the SQLite file cannot be written.
        SQLAlchemyError: The database cannot be reached.
    """
    path = sqlite_path(url)
    with _threads:
        if path is not None:
            with _lock_file(path):
                yield
            return
        engine = make_engine(url)
        with engine.begin() as connection:
            _lock_database(connection, url, name)
            try:
                yield
            finally:
                if engine.dialect.name != "postgresql":
                    connection.execute(text("SELECT RELEASE_LOCK(:key)"), {"key": _key(name)})


def make_engine(url: str) -> Engine:
    """Returns an engine that keeps no connection between uses."""
    return create_engine(url, poolclass=NullPool, connect_args=connect_arguments(url))


def connect_arguments(url: str) -> dict[str, Any]:
    """Returns what the driver is told: to wait for SQLite's other writers, and not for long for an absent server."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return {"timeout": LOCK_SECONDS}
    known = ("psycopg2", "psycopg", "pymysql", "mysqldb")
    if parsed.get_driver_name() not in known or "connect_timeout" in parsed.query:
        return {}
    return {"connect_timeout": 10}


@contextmanager
def _lock_file(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"no permission to write to {path.parent}")
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout as error:
        raise StudyError(f"Another process has held {path}.lock for {LOCK_SECONDS} seconds; end it.") from error
    try:
        yield
    finally:
        lock.release()


def _lock_database(connection: Connection, url: str, name: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
        connection.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{_HOLD_SECONDS}s'"))
        # Released by the server at the end of the transaction, however that comes.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": int(_key(name), 16) - 2**63})
    elif not connection.execute(
        text("SELECT GET_LOCK(:key, :wait)"), {"key": _key(name), "wait": LOCK_SECONDS}
    ).scalar():
        raise StudyError(f"Another process has held a lock at {show_url(url)} for {LOCK_SECONDS} seconds; end it.")


def _key(name: str) -> str:
    return hashlib.blake2b(f"fitgap {name}".encode(), digest_size=8).hexdigest()
