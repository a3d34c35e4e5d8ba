"""Putting a backup back: never over a store that is in use, and never without leaving what was there."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from src.errors import StorageError
from src.safekeeping.manifest import Manifest, read_manifest
from src.safekeeping.places import DATABASE, Places
from src.safekeeping.users import find_users
from src.tracking.address import sqlite_path
from src.tracking.reconciliation import close_abandoned

#: Columns of MLflow's database that hold absolute addresses of artifacts.
_ADDRESSES = (("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location"))


@dataclass(frozen=True)
class Restored:
    """What was put back.

    Attributes:
        made: When the backup was made.
        database: MLflow's database, at its place.
        moved: What was there before, at its new place.
        closed: Runs that were going on when the backup was made, and are no more.
    """

    made: str
    database: Path
    moved: tuple[Path, ...]
    closed: int

    def describe(self) -> str:
        """Returns it in words."""
        lines = [f"{self.database} and all that belongs to it are as they were at {self.made}."]
        if self.closed:
            lines.append(f"Runs that were going on then: {self.closed}; they are closed as lost.")
        if self.moved:
            lines.append(f"What was there before: {', '.join(map(str, self.moved))}. Remove it when all is well.")
        return "\n".join(lines)


def restore_backup(places: Places, folder: Path) -> Restored:
    """Puts a backup back, at the places given; they need not be those that it was made from.

    What is there is renamed, and stays. If this is interrupted, run it again.

    Raises:
        StorageError: The folder is no backup, the store is in use, or something cannot be read or written.
        TrackingError: What was put back cannot be used.
    """
    folder = folder.absolute()
    manifest = read_manifest(folder)
    targets = _choose_targets(manifest, places, folder)
    _check_unused(places)
    moved = []
    try:
        drafts = {target: _draft(folder / name, target) for name, target in targets.items()}
        _move_addresses(drafts[targets[DATABASE]], Path(manifest.artifacts), places.artifacts)
        _readdress_journals(drafts, targets, places, manifest.uri)
        # Copying takes minutes, in which somebody may have begun.
        _check_unused(places)
        suffix = f".before-{datetime.now():%Y%m%d-%H%M%S}"
        for target, draft in drafts.items():
            moved += _set_aside(target, suffix)
            draft.replace(target)
    except OSError as error:
        place = f" at {error.filename}" if error.filename else ""
        raise StorageError(
            f"The backup {folder} cannot be put back{place}: {error.strerror or error}. Nothing is lost: what was "
            "there is there still, or beside it as ….before-…. Make room, then run the command again."
        ) from error
    return Restored(manifest.made, places.database, tuple(moved), close_abandoned(places.uri, places.outbox))


def _check_unused(places: Places) -> None:
    """Looks whether somebody uses what is there.

    Raises:
        StorageError: Somebody does.
    """
    users = find_users(places)
    if users:
        listed = "".join(f"\n  {user}" for user in users[:10])
        raise StorageError(
            f"{places.database} and what belongs to it are in use, and a backup is not put over that:{listed}\n"
            "Stop the timers with `python -m src.schedule remove`, end the sweeps, `mlflow ui` and whatever else uses "
            "them, then run the command again; or put it somewhere else with --uri sqlite:////ANOTHER/FOLDER/mlflow.db."
        )


def _choose_targets(manifest: Manifest, places: Places, folder: Path) -> dict[str, Path]:
    """Returns where each part of a backup goes.

    Raises:
        StorageError: A part that it has has no place here, or the other way round.
    """
    if set(manifest.parts) != set(places.parts):
        raise StorageError(
            f"The backup {folder} holds {', '.join(manifest.parts)}, but is to be put back as "
            f"{', '.join(places.parts)}. Give --uri and --storage, and set FITGAP_OUTBOX_DIR, as when it was made."
        )
    # What a link names is replaced, and the link stays.
    return {name: path.resolve() for name, path in places.parts.items() if (folder / name).exists()}


def _draft(source: Path, target: Path) -> Path:
    """Copies a part beside its place."""
    draft = target.with_name(target.name + ".restoring")
    target.parent.mkdir(parents=True, exist_ok=True)
    if draft.is_dir():
        shutil.rmtree(draft)
    if source.is_dir():
        return Path(shutil.copytree(source, draft))
    return Path(shutil.copy2(source, draft))


def _set_aside(target: Path, suffix: str) -> list[Path]:
    """Renames what is at a place, with what SQLite keeps beside it, and returns the new names."""
    moved = []
    for end in ("", "-journal", "-wal", "-shm"):
        path = target.with_name(target.name + end)
        if path.exists():
            moved.append(path.rename(target.with_name(target.name + suffix + end)))
    return moved


def _readdress_journals(drafts: dict[Path, Path], targets: dict[str, Path], places: Places, uri: str) -> None:
    """Has journals that were for the store of a backup be for the one that it is put back as.

    Otherwise they would be delivered to the first, which may live on.
    """
    name, *below = places.outbox_name.parts
    if uri == places.uri or name not in targets:
        return
    for path in drafts[targets[name]].joinpath(*below).glob("*/journal.jsonl"):
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(_readdress(line, uri, places.uri) for line in lines))


def _readdress(line: bytes, old: str, new: str) -> bytes:
    """Returns a line of a journal, with the new address where it names the old one."""
    try:
        record = json.loads(line)
    except ValueError:
        return line
    if not isinstance(record, dict) or record.get("kind") != "header" or not _is_same(str(record.get("uri")), old):
        return line
    return json.dumps({**record, "uri": new}).encode() + b"\n"


def _is_same(uri: str, other: str) -> bool:
    """Whether two addresses name the same store, also where one of them does so by a link."""
    path, place = sqlite_path(uri), sqlite_path(other)
    return uri == other or (path is not None and place is not None and path.resolve() == place.resolve())


def _move_addresses(database: Path, old: Path, new: Path) -> None:
    """Has a database that nobody uses name the folder in which its artifacts lie now."""
    if old == new:
        return
    with closing(sqlite3.connect(database)) as connection, connection:
        for table, column in _ADDRESSES:
            for before, after in ((old.as_uri(), new.as_uri()), (str(old), str(new))):
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                    (after, len(before) + 1, len(before) + 1, f"{before}/"),
                )
