"""Creates runs in the store: at once, or later from the journal of a run that began while the store was away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from src.tracking.address import UnreachableError, check_reachable, sqlite_path
from src.tracking.identity import NotDeliveredError, find_experiment_id, find_run_id, name_parent
from src.tracking.store import Store, connect


def create_run(store: Store, name: str, tags: Mapping[str, str], start_time: int) -> str:
    """Creates a run and returns its id.

    Raises:
        NotDeliveredError: The store does not have the run yet that it belongs to.
        UnreachableError: Nothing answers.
        Exception: Whatever MLflow raises; `is_away` tells what a later attempt may mend.
    """
    check_reachable(store.uri)
    path = sqlite_path(store.uri)
    if path and not path.exists():
        # MLflow would make a new, empty database.
        raise UnreachableError(f"The tracking database {path} is not there.")
    tags, experiment_id = name_parent(store, tags), find_experiment_id(store)
    created = connect(store.uri).create_run(experiment_id, start_time, tags, name)
    return str(created.info.run_id)


def find_or_create_run(store: Store, record: Mapping[str, Any]) -> str:
    """Returns the id of the run of a `create` record, which is created unless an interrupted attempt has done so.

    Args:
        store: Where the run belongs.
        record: The journal's record, with `run_id`, the run's provisional id, `run_name`, `tags` and `start_time`.

    Raises:
        Exception: As of `create_run`.
    """
    try:
        return find_run_id(store, record["run_id"])
    except NotDeliveredError:
        return create_run(store, record["run_name"], record["tags"], record["start_time"])
