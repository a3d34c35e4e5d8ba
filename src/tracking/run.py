"""One tracked run: what is logged goes into its journal at once and to MLflow in the background."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from mlflow.entities import LifecycleStage

from src.errors import TrackingError
from src.tracking.address import check_reachable, is_away, is_turned_away, short_reason, show_uri
from src.tracking.batch import MAX_METRICS, MAX_PARAMS
from src.tracking.courier import Courier
from src.tracking.creation import create_run
from src.tracking.deliveries import leave_to
from src.tracking.delivery import Delivery
from src.tracking.identity import (
    JOURNAL_TAG,
    PARENT_TAG,
    NotDeliveredError,
    find_run_id,
    is_provisional,
    make_provisional_id,
)
from src.tracking.journal import Journal
from src.tracking.logged_model import MODEL_NAME
from src.tracking.outbox import await_end, deliver_command, open_journal
from src.tracking.staging import MAX_DIGEST_LENGTH, MAX_PARAM_LENGTH, MAX_TAG_LENGTH, shorten, stage_copy, stage_move
from src.tracking.store import Store, connect
from src.tracking.system import SAMPLED, SystemMonitor, start_monitor

_STATUSES = ("FINISHED", "FAILED", "KILLED")
#: Longest time that a run which is gone on with waits for its earlier end to be delivered.
_HANDOVER_SECONDS = 30.0

_log = logging.getLogger(__name__)


class TrackedRun:
    """One MLflow run that can be logged to from any thread.

    Every method but `finish` returns at once, and none fails because of the store: what is logged is on disk before it
    is sent, with the time at which it was logged. After `finish`, logging is a `TrackingError`.

    Attributes:
        store: Where it is recorded.
        name: Name of the run.
    """

    def __init__(self, store: Store, name: str, journal: Journal) -> None:
        """Takes an open journal; use `start_run` or `resume_run` instead."""
        self.store = store
        self.name = name
        self._journal = journal
        self._params: dict[str, str] = {}
        self._guard = threading.Lock()
        self._monitor: SystemMonitor | None = None
        self._courier = Courier(journal)

    @property
    def run_id(self) -> str:
        """MLflow's id of the run; as long as the store does not have a deferred run, a provisional one of ours."""
        return self._journal.run_id

    def log_params(self, params: Mapping[str, object]) -> None:
        """Logs params; a value beyond MLflow's 6000 characters is shortened and says so."""
        values = {key: shorten(str(value), MAX_PARAM_LENGTH) for key, value in params.items()}
        with self._guard:
            changed = [key for key, value in values.items() if self._params.get(key, value) != value]
            values = {key: value for key, value in values.items() if key not in self._params}
            self._params.update(values)
        if changed:
            _log.warning("MLflow keeps the first value of a param; ignored new values of %s.", ", ".join(changed))
        self._log_values("params", values, MAX_PARAMS)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Logs metrics of a step, 0 if none is given; NaN and infinity are kept."""
        values = {key: float(value) for key, value in metrics.items()}
        self._log_values("metrics", values, MAX_METRICS, step=step or 0)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Sets tags, replacing earlier values; one beyond MLflow's 8000 characters is shortened and says so."""
        values = {key: shorten(str(value), MAX_TAG_LENGTH) for key, value in tags.items()}
        self._log_values("tags", values, MAX_PARAMS)

    def find_last_step(self, key: str) -> int:
        """Returns the highest step of a metric that was logged, delivered or not; 0 where there is none.

        Raises:
            TrackingError: The store does not answer.
        """
        # The journal first: what is delivered in between is then seen twice rather than not at all.
        waiting = self._journal.pending(self._journal.count())
        steps = [record["step"] for record in waiting if record["kind"] == "metrics" and key in record["values"]]
        check_reachable(self.store.uri)
        try:
            points = connect(self.store.uri).get_metric_history(find_run_id(self.store, self.run_id), key)
        except Exception as error:
            raise _cannot(f"read {key} of run {self.run_id}", self.store, error) from error
        return max([*steps, *(int(point.step) for point in points)], default=0)

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Logs a file as it is now; it may change or vanish afterwards.

        Args:
            path: The file.
            folder: Folder among the run's artifacts; null is the top.

        Raises:
            FileNotFoundError: There is no such file.
        """
        if not path.is_file():
            raise FileNotFoundError(f"The artifact {path} is not a file.")
        staged = stage_copy(self._journal, path, path.name)
        self._log("artifact", staged=staged, path=path.name if staged else str(path.absolute()), folder=folder)

    def log_text(self, text: str, file_name: str) -> None:
        """Logs a text as an artifact; the name may hold folders."""
        self._log("text", text=text, file=file_name)

    def log_dataset(
        self, *, name: str, source: str, digest: str, profile: Mapping[str, object], context: str = "training"
    ) -> None:
        """Logs the data set as an input of the run.

        Args:
            name: Name of the data set.
            source: Where it comes from: a URL or a path.
            digest: What tells its versions apart; MLflow keeps 36 characters, the profile the whole.
            profile: Figures about it, such as numbers of examples.
            context: What it is used for.
        """
        whole = {**profile, "digest": digest} if len(digest) > MAX_DIGEST_LENGTH else dict(profile)
        self._log(
            "dataset", name=name, source=source, digest=digest[:MAX_DIGEST_LENGTH], profile=whole, context=context
        )

    def log_model(self, folder: Path, step: int, *, move: bool = False) -> None:
        """Logs a model as the run's logged model named `model`.

        Args:
            folder: What `src.tracking.model.save_model` has written; it may vanish afterwards.
            step: Epoch whose weights it holds; the run's metrics of this step become the model's.
            move: Whether the folder is taken over, so that nobody has to remove it: it goes with the journal as soon
                as the store has the model. It stays where it is if the disk does not allow to move it.

        Raises:
            FileNotFoundError: The folder holds no saved model.
        """
        if not (folder / "MLmodel").is_file():
            raise FileNotFoundError(f"{folder} holds no saved model: its file MLmodel is missing.")
        staged = (stage_move if move else stage_copy)(self._journal, folder, MODEL_NAME)
        self._log("model", staged=staged, path=str(folder.absolute()), step=step)

    def flush(self, timeout_seconds: float) -> bool:
        """Waits until the store has all that was logged so far, and returns whether it has.

        A store that does not answer is given up after a few seconds, and asked again in the background.
        """
        self._courier.flush(timeout_seconds)
        return not self._journal.pending(1)

    def finish(self, status: str = "FINISHED", timeout_seconds: float = 30.0, *, background: bool = False) -> Delivery:
        """Ends the run and waits until the store has everything.

        Args:
            status: `FINISHED`, `FAILED` or `KILLED`.
            timeout_seconds: Longest time to wait; a store that does not answer is given up after a few seconds.
            background: Whether to return as soon as the end is in the journal, and to deliver behind what follows in
                this process; `await_deliveries` waits for it, and so does the end of the process. A run that the store
                does not have at all is waited for all the same, for its id.

        Returns:
            Whether everything was delivered. What was not stays on disk: this process goes on trying as long as it
            lives, and the command in the result does it afterwards.

        Raises:
            ValueError: The status is not one of the three.
        """
        if status not in _STATUSES:
            raise ValueError(f"The status must be one of {', '.join(_STATUSES)}, but is '{status}'.")
        with self._guard:
            monitor, self._monitor = self._monitor, None
        if monitor:
            monitor.stop()
        if not self._journal.finished:
            self._journal.append("finish", status=status)
        background = background and not is_provisional(self.run_id)
        if background:
            leave_to(self._courier)
        else:
            self._courier.wait(timeout_seconds)
        pending = self._journal.count()
        late = None if background else f"not done within {timeout_seconds:g} seconds"
        reason = (self._courier.reason or late) if pending else None
        return Delivery(
            delivered=not pending,
            pending=pending,
            reason=reason,
            command=deliver_command(self.store.outbox),
            run_id=self.run_id,
            name=self.name,
            active=bool(pending) and not self._courier.closed,
        )

    def monitor_system(self, *, resumed: bool = False) -> None:
        """Starts to log processor, memory, disk, network and GPU use every ten seconds.

        Args:
            resumed: Whether an earlier attempt may have done so, behind whose samples those of this one come.
        """
        try:
            first_step = self.find_last_step(SAMPLED) + 1 if resumed else 0
        except TrackingError:
            # Rather than points that cover earlier ones, none.
            _log.warning("System metrics are not logged for %s, since the tracking store is away.", self.name)
            return
        self._monitor = start_monitor(self, first_step)

    def _log_values(self, kind: str, values: Mapping[str, object], limit: int, **fields: object) -> None:
        items = list(values.items())
        for start in range(0, len(items), limit):
            self._log(kind, values=dict(items[start : start + limit]), **fields)

    def _log(self, kind: str, **fields: object) -> None:
        if self._journal.finished:
            raise TrackingError(f"Run {self.run_id} is finished; use resume_run to log more to it.")
        self._journal.append(kind, **fields)
        self._courier.wake()


def start_run(
    store: Store,
    *,
    name: str,
    tags: Mapping[str, str],
    parent_run_id: str | None = None,
    system_metrics: bool = False,
    defer: bool = False,
) -> TrackedRun:
    """Starts a run; unlike what follows, this needs the store to answer, unless the start may be deferred.

    Args:
        store: Where to record it.
        name: Name of the run.
        tags: Tags from the start, such as those of `describe_environment`.
        parent_run_id: The sweep's run, for a run that belongs to one.
        system_metrics: Whether to log the use of processor, memory, disk, network and GPU.
        defer: Whether the run may begin while the store is away, or before the store has its parent. Its journal then
            has the store create it, with the time of this call as its start, as soon as the store is back. What the
            store refuses is an error all the same; but not a proxy before it that does, once the sweep's run is there.

    Raises:
        TrackingError: The store does not answer and the start may not be deferred, or it refuses.
    """
    start_time = int(time.time() * 1000)
    all_tags = {key: shorten(str(value), MAX_TAG_LENGTH) for key, value in tags.items()}
    if parent_run_id:
        all_tags[PARENT_TAG] = parent_run_id
    provisional_id = make_provisional_id()
    if defer:
        # In any case: a run may have been created although the answer was lost.
        all_tags[JOURNAL_TAG] = provisional_id
    try:
        run_id = create_run(store, name, all_tags, start_time)
    except Exception as error:
        if defer and (is_away(error) or (parent_run_id is not None and is_turned_away(error))):
            return _start_deferred(store, name, all_tags, start_time, provisional_id, system_metrics)
        if isinstance(error, TrackingError):
            raise
        raise _cannot("start the run", store, error) from error
    run = TrackedRun(store, name, open_journal(store, run_id, name))
    if system_metrics:
        run.monitor_system()
    return run


def _start_deferred(
    store: Store, name: str, tags: Mapping[str, str], start_time: int, provisional_id: str, system_metrics: bool
) -> TrackedRun:
    journal = open_journal(store, provisional_id, name, {"tags": dict(tags), "start_time": start_time})
    if system_metrics:
        _log.warning("System metrics are not logged for %s, which begins while the tracking store is away.", name)
    return TrackedRun(store, name, journal)


def resume_run(store: Store, run_id: str, *, name: str = "", defer: bool = False) -> TrackedRun:
    """Attaches to an existing run, takes over what a dead process has left of it, and opens it again if it has ended.

    A sweep that goes on in another process, after an interrupt or a crash, keeps its parent run, and a training that
    goes on from a checkpoint its own.

    Args:
        store: Where it is recorded.
        run_id: Its id, which may be a provisional one.
        name: What it is called as long as the store cannot be asked.
        defer: Whether the store may be away; whether it has the run shows then when it is back.

    Raises:
        TrackingError: The store does not answer and may not be away, or does not have the run.
    """
    try:
        check_reachable(store.uri)
        run_id = find_run_id(store, run_id)
        info = connect(store.uri).get_run(run_id).info
    except NotDeliveredError:
        if not (store.outbox / run_id).exists():
            raise
        return _resume_deferred(store, run_id, name)
    except Exception as error:
        if defer and (is_away(error) or is_turned_away(error)):
            return _resume_deferred(store, run_id, name)
        if isinstance(error, TrackingError):
            raise
        raise _cannot(f"resume run {run_id}", store, error) from error
    if info.lifecycle_stage == LifecycleStage.DELETED:
        raise TrackingError(f"Run {run_id} was deleted in MLflow. Restore it there, or start a new one.")
    name = str(info.run_name)
    # Of an attempt that has just failed, a process that goes on may be delivering the end, and must not come last.
    await_end(store, run_id, _HANDOVER_SECONDS)
    journal = open_journal(store, run_id, name)
    # It may have ended since the store was asked: opening a run that goes on changes nothing.
    journal.append("reopen")
    return TrackedRun(store, name, journal)


def _resume_deferred(store: Store, run_id: str, name: str) -> TrackedRun:
    journal = open_journal(store, run_id, name)
    # Whether it has ended is not known: opening one that goes on changes nothing.
    journal.append("reopen")
    return TrackedRun(store, str(journal.header["run_name"]), journal)


def _cannot(what: str, store: Store, error: Exception) -> TrackingError:
    return TrackingError(
        f"Cannot {what} in experiment '{store.experiment_name}' at {show_uri(store.uri)}: {short_reason(error)}."
    )
