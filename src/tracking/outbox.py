"""The outbox: one journal per run that the store may not have in full."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from src.errors import TrackingError
from src.tracking.address import DEFAULT_OUTBOX
from src.tracking.delivery import AwayError, Deliverer, Delivery, EarlyError, GoneError
from src.tracking.journal import REMOVED, Journal, read_cursor
from src.tracking.store import Store

_POLL_SECONDS = 0.05
#: How often a journal is begun that another process removes at the same moment.
_ATTEMPTS = 3


def open_journal(store: Store, run_id: str, name: str, creation: Mapping[str, Any] | None = None) -> Journal:
    """Opens the journal that this process writes for a run.

    A journal that a dead process has left is taken over, with what is still pending in it. If a living process records
    the same run, this one gets a journal of its own.

    Args:
        store: Where the run is recorded.
        run_id: Its id, which may be a provisional one.
        name: What it is called.
        creation: For a run that begins without the store: what it is to be created with, beside its name.
    """
    for folder in _candidates(store.outbox, run_id):
        journal = Journal(folder)
        try:
            if _open_present(journal):
                break
        except OSError as error:
            journal.open_failed(error)
            break
    # The last header counts: since the journal was begun, the store may have moved.
    if journal.header.get("uri") != store.uri:
        place = {
            "uri": store.uri,
            "experiment_id": store.experiment_id,
            "experiment_name": store.experiment_name,
            "run_id": run_id,
            "run_name": name,
        }
        if creation is None:
            header = journal.append("header", **place)
            journal.confirm([header["number"]])
        else:
            # One line for both: a journal that says where its run belongs also says how it is created.
            journal.append("create", **place, **creation)
    return journal


def await_end(store: Store, run_id: str, timeout_seconds: float) -> bool:
    """Waits until a run's end, where a living process is delivering it, has arrived.

    Returns:
        Whether it has; true where no process is about to deliver it.
    """
    deadline = time.monotonic() + timeout_seconds
    left = [folder for folder in _find_journals(store.outbox, run_id) if _ends(folder, None)]
    return _await_release(left, deadline)


def deliver_pending(outbox: Path = DEFAULT_OUTBOX, *, quiet: bool = False) -> list[Delivery]:
    """Delivers every journal whose process is gone, and closes the runs of processes that died in the middle.

    Such a run becomes KILLED, with the tag `fitgap.state=lost` and the time of its last record as its end. Several
    processes may do this at once: each journal is delivered by one of them.

    Args:
        outbox: Folder of the journals; one that does not exist holds none.
        quiet: Whether not to warn of records that the store refuses.

    Returns:
        What became of each journal. A store that is away is not asked again for the next journal of the same store.

    Raises:
        TrackingError: The outbox cannot be read.
    """
    try:
        away: dict[str, str] = {}
        # A sweep is begun before its runs, and has to be there before them.
        folders = sorted(_list_folders(outbox), key=_read_beginning)
        deliveries = [_deliver(folder, away, quiet) for folder in folders]
        return [delivery for delivery in deliveries if delivery]
    except OSError as error:
        raise TrackingError(f"The outbox {outbox} cannot be read or written: {error}.") from error


def count_pending(outbox: Path, uri: str | None = None) -> int:
    """Returns how many runs have something in an outbox that the store does not have, without any attempt to deliver.

    What runs that go on have not delivered yet does not count.

    Args:
        outbox: Folder of the journals; one that does not exist holds none.
        uri: Resolved tracking URI of the store whose runs alone are meant; null means those of all stores.
    """
    folders = [folder for folder in _list_folders(outbox) if not folder.name.startswith(REMOVED)]
    return sum(_is_left(folder) for folder in folders if uri in (None, _read_first(folder).get("uri")))


def await_outbox(outbox: Path, timeout_seconds: float, *, uri: str | None = None) -> bool:
    """Waits until living processes have delivered the runs that have ended, other processes than this one included.

    Runs that go on are not waited for, nor what dead processes have left, which `deliver_pending` delivers.
    `catch_up` does both.

    Args:
        outbox: Folder of the journals; one that does not exist holds none.
        timeout_seconds: Longest time to wait.
        uri: Resolved tracking URI of the store whose runs alone are meant; null means those of all stores.

    Returns:
        Whether the store has them all, and what dead processes have left too, but for what it refuses for good.
    """
    deadline = time.monotonic() + timeout_seconds
    # Those that appear meanwhile belong to runs that were still going on.
    left = [folder for folder in _list_folders(outbox) if _is_missing(folder, uri)]
    _await_release(left, deadline)
    return not any(_is_missing(folder, uri) for folder in left)


def deliver_command(outbox: Path) -> str:
    """Returns the command that delivers an outbox, also from a shell with another `FITGAP_OUTBOX_DIR`."""
    folder = outbox.absolute()
    return "python -m src.deliver" + ("" if folder == DEFAULT_OUTBOX else f" --outbox {shlex.quote(str(folder))}")


def _list_folders(outbox: Path) -> list[Path]:
    return sorted(path for path in outbox.iterdir() if path.is_dir()) if outbox.exists() else []


def _read_first(folder: Path) -> dict[str, Any]:
    """Returns the first record of a journal, its header; nothing where that cannot be read."""
    try:
        with (folder / "journal.jsonl").open(encoding="utf-8") as file:
            record = json.loads(file.readline())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _read_beginning(folder: Path) -> int:
    """Returns when a journal was begun, in milliseconds since 1970; 0 where that cannot be read."""
    return int(_read_first(folder).get("time", 0))


def _ends(folder: Path, uri: str | None) -> bool:
    """Returns whether the end of a run of a store is in its journal, as far as that can be read."""
    journal = Journal(folder)
    try:
        journal.read()
    except OSError:
        return False
    return journal.finished and uri in (None, journal.header.get("uri"))


def _is_left(folder: Path) -> bool:
    """Returns whether no process holds a journal any more, or it has more to deliver although its run has ended."""
    journal = Journal(folder)
    try:
        journal.read()
    except OSError:
        return True
    return _is_abandoned(folder) or (journal.finished and journal.count() > 0)


def _is_missing(folder: Path, uri: str | None) -> bool:
    """Returns whether a store lacks something that it can still be given of a run which has ended, or was killed."""
    journal = Journal(folder)
    try:
        journal.read()
    except OSError:
        return False
    if not journal.header or uri not in (None, journal.header["uri"]) or journal.gone:
        return False
    return bool(journal.pending(1)) if journal.finished else _is_abandoned(folder)


def _await_release(folders: list[Path], deadline: float) -> bool:
    """Waits until no process holds any of some journals; False at a moment of the monotonic clock."""
    while folders := [folder for folder in folders if _is_alive(folder)]:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _open_present(journal: Journal) -> bool:
    """Opens or begins a journal, again where it was delivered and removed by another process at that moment."""
    for _ in range(_ATTEMPTS):
        try:
            return journal.open()
        except FileNotFoundError:
            journal.close()
    return journal.open()


def _is_alive(folder: Path) -> bool:
    """Returns whether a process holds a journal."""
    journal = Journal(folder)
    with contextlib.suppress(FileNotFoundError):
        if not journal.open(create=False):
            return True
        journal.close()
    return False


def _is_abandoned(folder: Path) -> bool:
    """Returns whether a journal is there and no process holds it."""
    return not _is_alive(folder) and folder.exists()


def _candidates(outbox: Path, run_id: str) -> Iterator[Path]:
    """Yields the folders that a run's journal may be in: first those of a run that began without the store."""
    yield from _find_deferred(outbox, run_id)
    yield outbox / run_id
    for attempt in count(2):
        yield outbox / f"{run_id}.{attempt}"


def _find_deferred(outbox: Path, run_id: str) -> list[Path]:
    """Returns the journals that go by a provisional id, but whose run has this one by now."""
    return [folder for folder in sorted(outbox.glob("local-*")) if read_cursor(folder).get("run_id") == run_id]


def _find_journals(outbox: Path, run_id: str) -> list[Path]:
    """Returns all journals of a run."""
    return [*outbox.glob(f"{run_id}*"), *_find_deferred(outbox, run_id)]


def _deliver(folder: Path, away: dict[str, str], quiet: bool) -> Delivery | None:
    """Delivers one journal; None if another process was faster."""
    if folder.name.startswith(REMOVED):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    journal = Journal(folder)
    command = deliver_command(folder.parent)
    try:
        opened = journal.open(create=False)
    except FileNotFoundError:
        return None
    if not opened:
        return Delivery(
            delivered=False, active=True, run_id=folder.name, reason="its process is alive and delivers it",
            command=command,
        )  # fmt: skip
    if not journal.header:
        damaged = f"{folder / 'journal.jsonl'} does not say which run it belongs to"
        journal.close()
        return Delivery(delivered=False, pending=journal.count(), run_id=folder.name, reason=damaged, command=command)
    uri, name = str(journal.header["uri"]), str(journal.header["run_name"])
    reason = away[uri] if uri in away else _drain(journal, away, quiet)
    pending, run_id = journal.count(), journal.run_id
    if reason is None:
        journal.remove()
    else:
        journal.close()
    return Delivery(
        delivered=reason is None,
        pending=pending,
        reason=reason,
        command=command,
        run_id=run_id,
        name=name,
        uri=uri,
        away=uri in away,
    )


def _drain(journal: Journal, away: dict[str, str], quiet: bool) -> str | None:
    """Delivers an open journal; returns what was in the way."""
    deliverer = Deliverer(journal, quiet=quiet)
    journal.recall()
    try:
        while deliverer.deliver_next():
            pass
        if not journal.finished and not _has_living_sibling(journal) and deliverer.is_running():
            # The end is the last sign of life, not the moment at which somebody looks.
            journal.append("tags", values={"fitgap.state": "lost"})
            journal.append("finish", status="KILLED", end_time=journal.left_at)
            while deliverer.deliver_next():
                pass
    except (GoneError, EarlyError) as error:
        return str(error)
    except AwayError as error:
        away[str(journal.header["uri"])] = str(error)
        return str(error)
    refusals = journal.refusals()
    return refusals[0] if refusals else None


def _has_living_sibling(journal: Journal) -> bool:
    """Returns whether another process is recording the same run."""
    for folder in _find_journals(journal.folder.parent, journal.run_id):
        if folder != journal.folder and _is_alive(folder):
            return True
    return False
