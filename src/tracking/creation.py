"""Creates runs in the store: at once, or later from the journal of a run that began while the store was away."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from src.tracking.address import UnreachableError, check_reachable, sqlite_path
from src.tracking.store import Store, connect

#: Which journal a run was begun with; by it a second attempt to create the run finds what the first has made.
JOURNAL_TAG = "fitgap.journal"

#: How the id of a run begins that the store may not have yet.
PROVISIONAL = "local-"

_TOO_MANY_REQUESTS = 429


def make_provisional_id() -> str:
    """Returns an id, unlike any of MLflow's, for a run that the store may not have yet."""
    return f"{PROVISIONAL}{uuid.uuid4().hex}"


def create_run(store: Store, name: str, tags: Mapping[str, str], start_time: int) -> str:
    """Creates a run and returns its id.

    Raises:
        UnreachableError: Nothing answers.
        Exception: Whatever MLflow raises; `is_away` tells what a later attempt may mend.
    """
    check_reachable(store.uri)
    path = sqlite_path(store.uri)
    if path and not path.exists():
        # MLflow would make a new, empty database.
        raise UnreachableError(f"The tracking database {path} is not there.")
    created = connect(store.uri).create_run(store.experiment_id, start_time, dict(tags), name)
    return str(created.info.run_id)


def find_or_create_run(client: MlflowClient, experiment_id: str, record: Mapping[str, Any], journal_id: str) -> str:
    """Returns the id of the run of a `create` record, which is created unless an interrupted attempt has done so.

    Args:
        client: Client of the store.
        experiment_id: The run's experiment.
        record: The journal's record, with `name`, `tags` and `start_time`.
        journal_id: The run's provisional id.
    """
    run_id = find_created_run(client, experiment_id, journal_id)
    if run_id is not None:
        return run_id
    run = client.create_run(experiment_id, record["start_time"], record["tags"], record["name"])
    return str(run.info.run_id)


def find_created_run(client: MlflowClient, experiment_id: str, journal_id: str) -> str | None:
    """Returns the store's id of a run that began with a provisional one; None where the store does not have it yet."""
    found = client.search_runs(
        [experiment_id],
        filter_string=f"tags.`{JOURNAL_TAG}` = '{journal_id}'",
        # One that was deleted meanwhile is no reason to make another.
        run_view_type=ViewType.ALL,
        max_results=1,
    )
    return str(found[0].info.run_id) if found else None


def is_away(error: Exception) -> bool:
    """Returns whether an error says that the store is away or busy, rather than that it refuses."""
    if isinstance(error, MlflowException):
        status = int(error.get_http_status_code())  # type: ignore[no-untyped-call]
        return status >= 500 or status == _TOO_MANY_REQUESTS
    return isinstance(error, (UnreachableError, OSError))
