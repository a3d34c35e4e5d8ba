"""Finds a finished or running sweep in the store, and adds to its parent run from outside the process that runs it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from src.config.paths import PROJECT_ROOT
from src.errors import TrackingError
from src.tracking.address import check_reachable, locate_outbox, resolve_uri, short_reason, show_uri, sqlite_path
from src.tracking.identity import (
    JOURNAL_TAG,
    NotDeliveredError,
    find_experiment_id,
    find_run_id,
    is_provisional,
    locate_run,
    name_parent,
)
from src.tracking.logged_model import discard_model
from src.tracking.records import RunRecord, load_run
from src.tracking.registry import list_registered
from src.tracking.store import Store, connect
from src.tracking.views import add_views, build_sweep_view, has_view, link_view, name_sweep_view

#: The tag of a parent run that says whether its report is whole, or due as the store could not be read.
REPORT_TAG, DUE, MADE = "fitgap.report", "due", "made"

_log = logging.getLogger(__name__)


def find_sweep(parent_run_id: str | None, uri: str | None = None) -> tuple[Store, RunRecord]:
    """Returns a sweep's parent run and the store that holds it; the newest sweep of all experiments if no id is given.

    Raises:
        TrackingError: The store does not answer, or holds no such sweep.
    """
    resolved = resolve_uri(uri, PROJECT_ROOT)
    check_reachable(resolved)
    client = connect(resolved)
    try:
        run = _find(client, parent_run_id) if parent_run_id else _find_newest(client)
        experiment = client.get_experiment(run.info.experiment_id) if run else None
    except Exception as error:
        raise TrackingError(f"Cannot look for the sweep at {show_uri(resolved)}: {short_reason(error)}.") from error
    if run is None or experiment is None:
        raise TrackingError(f"There is no sweep at {show_uri(resolved)}. Start one with `python -m src.train -m …`.")
    if run.data.tags.get("fitgap.kind") != "sweep":
        raise TrackingError(f"Run {parent_run_id} is no sweep's parent run. Leave the id out for the newest sweep.")
    store = Store(resolved, experiment.experiment_id, experiment.name, locate_outbox(resolved, PROJECT_ROOT))
    return store, load_run(store, run.info.run_id)


def list_due(uri: str) -> list[str]:
    """Returns the parent runs of sweeps that have ended, and whose reports could not be made then.

    Args:
        uri: The store's resolved tracking URI.

    Raises:
        TrackingError: The store does not answer.
    """
    check_reachable(uri)
    client = connect(uri)
    try:
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        due = f"tags.`{REPORT_TAG}` = '{DUE}' AND attributes.status != 'RUNNING'"
        return [str(run.info.run_id) for run in client.search_runs(experiments, due)] if experiments else []
    except Exception as error:
        raise TrackingError(f"Cannot look for sweeps at {show_uri(uri)}: {short_reason(error)}.") from error


def exchange_id(uri: str, run_id: str) -> str:
    """Returns the store's id of a run that may have been begun without it; the same id as long as the store lacks it.

    Args:
        uri: The store's resolved tracking URI.
        run_id: The run's id, which may be a provisional one.

    Raises:
        TrackingError: The store does not answer.
    """
    path = sqlite_path(uri)
    # MLflow would make a database that is gone anew.
    if not is_provisional(run_id) or (path is not None and not path.exists()):
        return run_id
    check_reachable(uri)
    try:
        run = _find(connect(uri), run_id)
    except Exception as error:
        raise TrackingError(f"Cannot look for run {run_id} at {show_uri(uri)}: {short_reason(error)}.") from error
    return run_id if run is None else str(run.info.run_id)


def add_to_run(
    store: Store,
    run_id: str,
    *,
    files: Sequence[Path] = (),
    metrics: Mapping[str, float] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Adds to a run at once, without a journal: whoever started the run may still be writing its own.

    Raises:
        TrackingError: The store did not take it.
    """
    client = connect(store.uri)
    try:
        run_id = find_run_id(store, run_id)
        for path in files:
            client.log_artifact(run_id, str(path))
        for key, value in (metrics or {}).items():
            client.log_metric(run_id, key, value)
        for key, text in name_parent(store, tags or {}).items():
            client.set_tag(run_id, key, text)
    except Exception as error:
        raise TrackingError(f"Cannot add to run {run_id} at {show_uri(store.uri)}: {short_reason(error)}.") from error


def arrange_sweep(
    store: Store, parent_run_id: str, params: Sequence[str], objectives: Mapping[str, str] | None = None
) -> str:
    """Prepares a view of a sweep's runs in MLflow's pages, and returns its address relative to their start page.

    A view is a convenience: what the store refuses is logged, and the address is empty then.

    Args:
        store: Where the sweep is recorded.
        parent_run_id: Its parent run.
        params: The params in which its runs differ.
        objectives: Direction of each metric that it is about; the best validation accuracy if none is given.
    """
    try:
        store, parent_run_id = locate_run(store, parent_run_id)
    except TrackingError as error:
        _log.debug("The sweep has no charts yet: %s", error)
        return ""
    client, view = connect(store.uri), build_sweep_view(parent_run_id, params, objectives)
    if not view or not add_views(client, store.experiment_id, {}, view):
        return ""
    return link_view(store.experiment_id, name_sweep_view(parent_run_id))


def find_view(store: Store, parent_run_id: str) -> str:
    """Returns the address of the view that `arrange_sweep` has prepared; an empty one where there is none."""
    try:
        check_reachable(store.uri)
        store, parent_run_id = locate_run(store, parent_run_id)
        key = name_sweep_view(parent_run_id)
        tags = connect(store.uri).get_experiment(store.experiment_id).tags
    except Exception as error:
        _log.warning("The sweep's charts cannot be looked for: %s", short_reason(error))
        return ""
    return link_view(store.experiment_id, key) if has_view(tags, key) else ""


def discard_models(store: Store, run_ids: Sequence[str]) -> list[str]:
    """Deletes the logged models of runs, to free the disk where it is this machine's; see `discard_model`.

    What MLflow's registry has stays.

    Returns:
        The runs that the store does not have in full yet: their models may still come.

    Raises:
        TrackingError: The store does not answer, or files cannot be deleted.
    """
    client, unfinished = connect(store.uri), []
    if not run_ids:
        return []
    try:
        registered = list_registered(client)
        for run_id in run_ids:
            try:
                known = find_run_id(store, run_id)
            except NotDeliveredError:
                unfinished.append(run_id)
                continue
            if not _has_ended(client, known):
                unfinished.append(run_id)
            discard_model(client, find_experiment_id(store), known, registered)
    except Exception as error:
        raise TrackingError(f"Cannot delete models at {show_uri(store.uri)}: {short_reason(error)}.") from error
    return unfinished


def _has_ended(client: MlflowClient, run_id: str) -> bool:
    """Returns whether the store has a run's end, and so all that was logged before it."""
    try:
        return str(client.get_run(run_id).info.status) != "RUNNING"
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise


def _find(client: MlflowClient, run_id: str) -> Run | None:
    """Returns a run by its id, or by that which it had before the store did."""
    return (
        _search_first(client, f"tags.`{JOURNAL_TAG}` = '{run_id}'")
        if is_provisional(run_id)
        else client.get_run(run_id)
    )


def _find_newest(client: MlflowClient) -> Run | None:
    return _search_first(client, "tags.`fitgap.kind` = 'sweep'")


def _search_first(client: MlflowClient, condition: str) -> Run | None:
    """Returns the run that began last of those, in all experiments, that pass a filter."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    if not experiments:
        return None
    runs = client.search_runs(experiments, condition, order_by=["attributes.start_time DESC"], max_results=1)
    return runs[0] if runs else None
