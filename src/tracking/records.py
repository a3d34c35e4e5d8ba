"""Reads runs back from the store."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from src.errors import TrackingError
from src.history import EPOCH_METRICS, History
from src.tracking.address import UnreachableError, check_reachable, is_away, short_reason, show_uri
from src.tracking.identity import PARENT_TAG, find_experiment_id, find_run_id
from src.tracking.store import Store, connect

#: What the SQL store keeps in place of infinity.
_LARGEST = 1.7976931348623157e308
_DERIVED = ("gap_accuracy", "gap_loss")
_PAGE = 500
_READERS = 4

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class RunRecord:
    """A run as the store has it.

    Attributes:
        run_id: MLflow's id.
        name: Name of the run.
        status: `RUNNING`, `FINISHED`, `FAILED` or `KILLED`.
        kind: `sweep`, `trial` or `run`, from the tag `fitgap.kind`; empty for a run of another program.
        tags: All tags.
        params: All params.
        metrics: Last value of every metric.
        history: The epochs that were logged in full, as far as any was.
        started_at: Start, in milliseconds since 1970.
        duration_seconds: Time from start to end; null while it runs.
    """

    run_id: str
    name: str
    status: str
    kind: str
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    history: History = field(default_factory=History)
    started_at: int = 0
    duration_seconds: float | None = None


def load_run(store: Store, run_id: str) -> RunRecord:
    """Reads one run.

    Raises:
        UnreachableError: The store does not answer, or has not got the run yet.
        TrackingError: The store does not have the run.
    """

    def read(client: MlflowClient) -> RunRecord:
        return _with_history(client, _record(client.get_run(find_run_id(store, run_id))))

    return _read(store, f"read run {run_id}", read)


def load_children(store: Store, parent_run_id: str, *, histories: bool = True) -> list[RunRecord]:
    """Reads the runs of a sweep in the order in which they started, without deleted ones.

    Args:
        store: Where they are recorded.
        parent_run_id: The sweep's parent run.
        histories: Whether to read the epochs too: for each run several requests, for a thousand runs minutes.

    Raises:
        TrackingError: The store does not answer.
    """

    def read(client: MlflowClient) -> list[RunRecord]:
        return _search(client, store, f"tags.`{PARENT_TAG}` = '{find_run_id(store, parent_run_id)}'")

    records = _read(store, f"read the runs of sweep {parent_run_id}", read)
    return load_histories(store, records) if histories else records


def load_all(store: Store) -> list[RunRecord]:
    """Reads the experiment's runs in the order in which they started, without deleted ones and without their epochs.

    Raises:
        TrackingError: The store does not answer.
    """
    return _read(store, f"read the runs of {store.experiment_name}", lambda client: _search(client, store, ""))


def load_finished(store: Store) -> list[RunRecord]:
    """Reads the experiment's single runs that finished, in the order in which they started, without their epochs.

    Raises:
        TrackingError: The store does not answer.
    """
    finished = "attributes.status = 'FINISHED' AND tags.`fitgap.kind` = 'run'"
    return _read(store, f"read the runs of {store.experiment_name}", lambda client: _search(client, store, finished))


def load_histories(store: Store, records: Sequence[RunRecord]) -> list[RunRecord]:
    """Returns runs with their epochs, which are read again.

    Raises:
        TrackingError: The store does not answer.
    """

    def read(client: MlflowClient) -> list[RunRecord]:
        # Each run's history is several requests; a server answers a few at a time.
        with ThreadPoolExecutor(_READERS) as readers:
            return list(readers.map(lambda record: _with_history(client, record), records))

    return _read(store, "read the epochs of runs", read)


def _read(store: Store, what: str, read: Callable[[MlflowClient], _Result]) -> _Result:
    check_reachable(store.uri)
    try:
        return read(connect(store.uri))
    except TrackingError:
        raise
    except Exception as error:
        kind = UnreachableError if is_away(error) else TrackingError
        raise kind(f"Cannot {what} at {show_uri(store.uri)}: {short_reason(error)}.") from error


def _search(client: MlflowClient, store: Store, filter_string: str) -> list[RunRecord]:
    """Returns the experiment's runs that pass a filter, without deleted ones and without epochs."""
    experiment_id = find_experiment_id(store)
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs(
            [experiment_id],
            filter_string=filter_string,
            order_by=["attributes.start_time ASC"],
            max_results=_PAGE,
            page_token=token,
        )
        runs += page
        token = page.token
        if not token:
            return [_record(run) for run in runs]


def _record(run: Run) -> RunRecord:
    info, data = run.info, run.data
    return RunRecord(
        run_id=str(info.run_id),
        name=str(info.run_name),
        status=str(info.status),
        kind=data.tags.get("fitgap.kind", ""),
        tags=dict(data.tags),
        params=dict(data.params),
        metrics={key: _restored(value) for key, value in data.metrics.items()},
        started_at=int(info.start_time),
        duration_seconds=(info.end_time - info.start_time) / 1000 if info.end_time else None,
    )


def _with_history(client: MlflowClient, record: RunRecord) -> RunRecord:
    """Adds the epochs for which every metric of an epoch was logged; the step is the epoch."""
    keys = [key for key in EPOCH_METRICS if key not in _DERIVED]
    if not all(key in record.metrics for key in keys):
        return record
    rows: dict[int, dict[str, float]] = {}
    for key in keys:
        points = client.get_metric_history(record.run_id, key)
        # Of two points of one epoch the later counts: the epoch was done again after a resume.
        for point in sorted(points, key=lambda point: point.timestamp):
            rows.setdefault(point.step, {"epoch": point.step})[key] = _restored(point.value)
    history = History.from_rows(row for row in rows.values() if len(row) == len(keys) + 1)
    return replace(record, history=history)


def _restored(value: float) -> float:
    return math.copysign(math.inf, value) if abs(value) >= _LARGEST else float(value)
