"""The outbox: one journal per run that the store may not have in full."""

from __future__ import annotations

import shlex
from pathlib import Path

from src.config.paths import PROJECT_ROOT
from src.errors import TrackingError
from src.tracking.delivery import AwayError, Deliverer, Delivery, GoneError
from src.tracking.journal import Journal
from src.tracking.store import Store

DEFAULT_OUTBOX = PROJECT_ROOT / "mlruns" / "outbox"


def open_journal(store: Store, run_id: str, name: str) -> Journal:
    """Opens the journal that this process writes for a run.

    A journal that a dead process has left is taken over, with what is still pending in it. If a living process records
    the same run, this one gets a journal of its own.
    """
    attempt = 1
    while True:
        journal = Journal(store.outbox / (run_id if attempt == 1 else f"{run_id}.{attempt}"))
        try:
            if journal.open():
                break
        except OSError as error:
            journal.open_failed(error)
            break
        attempt += 1
    # The last header counts: since the journal was begun, the store may have moved.
    if journal.header.get("uri") != store.uri:
        header = journal.append(
            "header",
            uri=store.uri,
            experiment_id=store.experiment_id,
            experiment_name=store.experiment_name,
            run_id=run_id,
            run_name=name,
        )
        journal.confirm([header["number"]])
    return journal


def deliver_pending(outbox: Path = DEFAULT_OUTBOX) -> list[Delivery]:
    """Delivers every journal whose process is gone, and closes the runs of processes that died in the middle.

    Such a run becomes KILLED, with the tag `fitgap.state=lost` and the time of its last record as its end.

    Args:
        outbox: Folder of the journals; one that does not exist holds none.

    Returns:
        What became of each journal. A store that is away is not asked again for the next journal of the same store.

    Raises:
        TrackingError: The outbox cannot be read.
    """
    try:
        folders = sorted(path for path in outbox.iterdir() if path.is_dir()) if outbox.exists() else []
        away: dict[str, str] = {}
        return [_deliver(folder, away) for folder in folders]
    except OSError as error:
        raise TrackingError(f"The outbox {outbox} cannot be read or written: {error}.") from error


def deliver_command(outbox: Path) -> str:
    """Returns the command that delivers an outbox."""
    return "python -m src.deliver" + ("" if outbox == DEFAULT_OUTBOX else f" --outbox {shlex.quote(str(outbox))}")


def _deliver(folder: Path, away: dict[str, str]) -> Delivery:
    journal = Journal(folder)
    command = deliver_command(folder.parent)
    if not journal.open():
        return Delivery(
            delivered=False, active=True, run_id=folder.name, reason="its process is alive and delivers it",
            command=command,
        )  # fmt: skip
    if not journal.header:
        damaged = f"{folder / 'journal.jsonl'} does not say which run it belongs to"
        journal.close()
        return Delivery(delivered=False, pending=journal.count(), run_id=folder.name, reason=damaged, command=command)
    uri, run_id, name = (str(journal.header[key]) for key in ("uri", "run_id", "run_name"))
    reason = away[uri] if uri in away else _drain(journal, away)
    pending = journal.count()
    if reason is None:
        journal.remove()
    else:
        journal.close()
    return Delivery(delivered=reason is None, pending=pending, reason=reason, command=command, run_id=run_id, name=name)


def _drain(journal: Journal, away: dict[str, str]) -> str | None:
    """Delivers an open journal; returns what was in the way."""
    deliverer = Deliverer(journal)
    journal.recall()
    try:
        if not journal.finished and not _has_living_sibling(journal) and deliverer.is_running():
            # The end is the last sign of life, not the moment at which somebody looks.
            journal.append("tags", values={"fitgap.state": "lost"})
            journal.append("finish", status="KILLED", end_time=journal.left_at)
        while deliverer.deliver_next():
            pass
    except GoneError as error:
        return str(error)
    except AwayError as error:
        away[str(journal.header["uri"])] = str(error)
        return str(error)
    refusals = journal.refusals()
    return refusals[0] if refusals else None


def _has_living_sibling(journal: Journal) -> bool:
    """Returns whether another process is recording the same run."""
    run_id = str(journal.header["run_id"])
    for folder in journal.folder.parent.glob(f"{run_id}*"):
        if folder != journal.folder:
            sibling = Journal(folder)
            if not sibling.open():
                return True
            sibling.close()
    return False
