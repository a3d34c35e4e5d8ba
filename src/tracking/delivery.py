"""Hands the records of a journal to MLflow, so that handing one over twice changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from mlflow.entities import LifecycleStage
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from src.tracking.address import is_away, is_turned_away, short_reason, sqlite_path
from src.tracking.batch import BATCHED, MAX_METRICS, next_group, send_batch, send_dataset, split_record
from src.tracking.creation import find_or_create_run
from src.tracking.identity import NotDeliveredError, find_run_id, is_provisional, name_parent
from src.tracking.journal import Journal, Record
from src.tracking.logged_model import deliver_model
from src.tracking.store import Store, connect

_REFUSALS = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS")
#: Failures of one record, while the store answers otherwise, after which it no longer holds up the others.
_MAX_FAILURES = 5

_log = logging.getLogger(__name__)


class AwayError(Exception):
    """The store does not take anything at present; the message is the reason."""


class EarlyError(AwayError):
    """The store answers, but has not got another run yet that has to be there before."""


class GoneError(AwayError):
    """The store answers, but does not have this run, has it among the deleted ones, or refuses to create it."""


@dataclass(frozen=True)
class Delivery:
    """What became of a run's records.

    Attributes:
        delivered: Whether the store has everything, the run's end included.
        pending: Number of records that are still on disk.
        reason: What is in the way; null if everything was delivered, or is being delivered while the process goes on.
        command: Command that delivers the rest later.
        run_id: Id of the run; a provisional one as long as the store does not have the run.
        name: Name of the run.
        uri: Tracking URI of the store; empty where the journal does not say it.
        active: Whether a living process still holds the records, and delivers them by itself.
        away: Whether the store does not answer, rather than that it does not take this run.
    """

    delivered: bool
    pending: int = 0
    reason: str | None = None
    command: str = "python -m src.deliver"
    run_id: str = ""
    name: str = ""
    uri: str = ""
    active: bool = False
    away: bool = False


class Deliverer:
    """Delivers one journal, in order, the next few records at a time."""

    def __init__(self, journal: Journal, *, quiet: bool = False) -> None:
        """Takes an open journal with a header; `quiet` does not warn of what the store refuses."""
        self._journal = journal
        self._refusal_level = logging.DEBUG if quiet else logging.WARNING
        self._failures = 0

    def deliver_next(self) -> bool:
        """Delivers the next records; False if none is waiting.

        Raises:
            AwayError: The store did not take them, and perhaps will later.
        """
        records = self._journal.pending(MAX_METRICS)
        if not records:
            return False
        group = next_group(records)
        client = self._connect()
        if group[0]["kind"] == "create":
            self._create(group[0])
            return True
        self._identify()
        group = self._name_parents(group)
        try:
            self._send(client, group)
        except Exception as error:
            self._insist_on_refusal(client, error)
            for record in group:
                self._send_piecewise(client, record)
        else:
            self._journal.confirm([record["number"] for record in group])
        self._failures = 0
        return True

    def is_running(self) -> bool:
        """Returns whether the store still takes the run for running.

        Raises:
            AwayError: The store does not answer, or does not have the run any more.
        """
        client = self._connect()
        self._identify()
        return self._check_run(client) == "RUNNING"

    def _connect(self) -> MlflowClient:
        uri = str(self._journal.header["uri"])
        path = sqlite_path(uri)
        if path and not path.exists():
            # MLflow would make a new, empty database.
            raise AwayError(f"the file {path} is not there")
        try:
            return connect(uri)
        except Exception as error:
            raise AwayError(short_reason(error)) from error

    @property
    def _store(self) -> Store:
        header = self._journal.header
        uri, experiment_id, name = (str(header[key]) for key in ("uri", "experiment_id", "experiment_name"))
        return Store(uri, experiment_id, name, self._journal.folder.parent)

    def _create(self, record: Record) -> None:
        """Creates the run of a journal that was begun without the store."""
        try:
            run_id = find_or_create_run(self._store, record)
        except NotDeliveredError as error:
            raise EarlyError(f"the run that it belongs to comes first: {error}") from error
        except Exception as error:
            if is_away(error) or is_turned_away(error):
                raise AwayError(short_reason(error)) from error
            raise self._give_up(f"the store refuses to create the run: {short_reason(error)}") from error
        self._journal.name_run(run_id)
        self._journal.confirm([record["number"]])

    def _name_parents(self, group: list[Record]) -> list[Record]:
        """Returns records in which a run that was moved below another one names that by the store's id."""
        try:
            return [
                {**record, "values": name_parent(self._store, record["values"])} if record["kind"] == "tags" else record
                for record in group
            ]
        except NotDeliveredError as error:
            raise EarlyError(f"the run that it belongs to comes first: {error}") from error
        except Exception as error:
            raise AwayError(short_reason(error)) from error

    def _identify(self) -> None:
        """Finds out the id of a run that was begun without the store, in a journal that has since been delivered."""
        run_id = self._journal.run_id
        if not is_provisional(run_id):
            return
        try:
            self._journal.name_run(find_run_id(self._store, run_id))
        except NotDeliveredError as error:
            if self._has_creator(run_id):
                raise EarlyError(short_reason(error)) from error
            raise self._give_up(
                "the store does not have this run, and no journal here says how it is created: it was begun on another "
                "machine, which is to deliver first, or on a full disk; then delete its folder in the outbox"
            ) from error
        except Exception as error:
            raise AwayError(short_reason(error)) from error

    def _has_creator(self, run_id: str) -> bool:
        """Returns whether another journal of a run, of a process that has recorded it too, may have it created."""
        folder = self._journal.folder
        return any(other != folder for other in folder.parent.glob(f"{run_id}*"))

    def _insist_on_refusal(self, client: MlflowClient, error: Exception) -> None:
        """Returns if the store refuses these records for good; otherwise raises `AwayError`."""
        code = error.error_code if isinstance(error, MlflowException) else None
        # Also tells a run that is gone from a value that is wrong.
        self._check_run(client)
        if code in _REFUSALS or isinstance(error, FileNotFoundError):
            return
        # A write that a busy database puts off is no refusal, however often it happens.
        if code != "TEMPORARILY_UNAVAILABLE":
            self._failures += 1
        if self._failures < _MAX_FAILURES:
            raise AwayError(short_reason(error)) from error

    def _check_run(self, client: MlflowClient) -> str:
        try:
            run = client.get_run(self._journal.run_id)
        except Exception as error:
            if isinstance(error, MlflowException) and error.error_code == "RESOURCE_DOES_NOT_EXIST":
                raise self._give_up("the store no longer has this run; delete its folder in the outbox") from error
            raise AwayError(short_reason(error)) from error
        if run.info.lifecycle_stage == LifecycleStage.DELETED:
            raise self._give_up("the run was deleted in MLflow; restore it there, or delete its folder in the outbox")
        return str(run.info.status)

    def _give_up(self, reason: str) -> GoneError:
        """Notes that the store does not take the run, so that nothing waits for it; later attempts ask again."""
        self._journal.note_gone()
        return GoneError(reason)

    def _send_piecewise(self, client: MlflowClient, record: Record) -> None:
        """Sends every value of a record by itself, so that one bad name does not cost its neighbours."""
        reason = None
        for piece in split_record(record):
            try:
                self._send(client, [piece])
            except Exception as error:
                self._insist_on_refusal(client, error)
                reason = short_reason(error)
        if reason is None:
            self._journal.confirm([record["number"]])
            return
        what = (self._journal.run_id, record["kind"], reason)
        _log.log(self._refusal_level, "MLflow refuses a part of run %s (%s): %s", *what)
        self._journal.set_aside(record["number"], reason)

    def _send(self, client: MlflowClient, group: Sequence[Record]) -> None:
        record, kind, run_id = group[0], group[0]["kind"], self._journal.run_id
        if kind in BATCHED:
            send_batch(client, run_id, group)
        elif kind == "artifact":
            path = self._journal.folder / "files" / record["staged"] / record["path"] if record["staged"] else None
            client.log_artifact(run_id, str(path or record["path"]), record["folder"])
        elif kind == "text":
            client.log_text(run_id, record["text"], record["file"])
        elif kind == "dataset":
            send_dataset(client, run_id, record)
        elif kind == "model":
            folder = self._journal.folder / "files" / record["staged"] if record["staged"] else None
            deliver_model(client, run_id, record, folder)
        elif kind == "finish":
            client.set_terminated(run_id, record["status"], end_time=record.get("end_time") or record["time"])
        elif kind == "reopen":
            client.update_run(run_id, status="RUNNING")
