"""What the doctor looks at of the stores: whether they open, are whole, and take what is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from src.config.paths import PROJECT_ROOT
from src.errors import FitgapError
from src.scheduling.finding import GOOD, MEND, Finding
from src.scheduling.remainder import examine_outbox
from src.scheduling.sweep_file import ScheduledSweep
from src.study import address as study_address
from src.study.storage import close_storage, open_storage
from src.tracking import address as tracking_address

#: Seconds to wait for another process that writes.
_BUSY_SECONDS = 20


def examine_stores(sweeps: Sequence[ScheduledSweep]) -> Iterator[Finding]:
    """Yields what is found of the stores of sweeps, or where there is no sweep, of those by default."""
    uris = dict.fromkeys(sweep.tracking_uri for sweep in sweeps) or {None: None}
    urls = dict.fromkeys(sweep.storage for sweep in sweeps) or {study_address.resolve_storage(None, PROJECT_ROOT): None}
    for uri in uris:
        yield _examine_tracking(uri)
        yield from examine_outbox(uri)
    for url in urls:
        yield _examine_studies(url)


def examine_database(what: str, path: Path) -> Finding:
    """Returns whether an SQLite file is whole and can be written; one that is not there yet is made in time."""
    if not path.exists():
        return Finding(what, GOOD, f"{path} is not there yet, and made by the first sweep")
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
            faults = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
            # Takes the right to write, which a read-only file or a full disk refuses, and changes nothing.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("PRAGMA user_version")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        return Finding(
            what, MEND, f"{path} cannot be used: {error}. Look at its rights and its disk; see docs/gpu-box.md."
        )
    if faults != ["ok"]:
        return Finding(
            what,
            MEND,
            f"{path} is damaged: {'; '.join(faults)}. End everything that uses it, and put a copy back, or recover it: "
            f"sqlite3 {path} .recover | sqlite3 {path}.new",
        )
    return Finding(what, GOOD, f"{path} is whole and can be written")


def _examine_tracking(uri: str | None) -> Finding:
    try:
        resolved = tracking_address.resolve_uri(uri, PROJECT_ROOT)
        path = tracking_address.sqlite_path(resolved)
        if path is not None:
            return examine_database("tracking store", path)
        tracking_address.check_reachable(resolved)
    except tracking_address.UnreachableError as error:
        return Finding("tracking store", MEND, f"{error} A shift begins all the same, and delivers later.")
    except FitgapError as error:
        return Finding("tracking store", MEND, str(error))
    return Finding("tracking store", GOOD, f"{tracking_address.show_uri(resolved)} answers")


def _examine_studies(url: str) -> Finding:
    path = study_address.sqlite_path(url)
    if path is not None:
        return examine_database("studies", path)
    try:
        close_storage(open_storage(url))
    except FitgapError as error:
        return Finding("studies", MEND, str(error))
    return Finding("studies", GOOD, f"{study_address.show_url(url)} can be used")
