"""What the store calls experiments and runs that were begun while it was away.

Such a run goes by a provisional id, which is also the tag `fitgap.journal` of the run that the store makes of it. The
id may have been told to studies, to other processes and to runs below it: here it is exchanged for the store's own.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from mlflow.entities import ViewType

from src.errors import TrackingError
from src.tracking.address import UnreachableError, check_reachable, short_reason, show_uri
from src.tracking.store import Store, connect, find_experiment

#: Which journal a run was begun with; by it a second attempt to create the run finds what the first has made.
JOURNAL_TAG = "fitgap.journal"

#: MLflow's tag of the run that a run belongs to.
PARENT_TAG = "mlflow.parentRunId"

#: How the id of a run begins that the store may not have yet.
PROVISIONAL = "local-"


class NotDeliveredError(UnreachableError):
    """The store answers, but has not got a run yet that was begun without it."""


def make_provisional_id() -> str:
    """Returns an id, unlike any of MLflow's, for a run that the store may not have yet."""
    return f"{PROVISIONAL}{uuid.uuid4().hex}"


def is_provisional(run_id: str) -> bool:
    """Returns whether an id is one of ours."""
    return run_id.startswith(PROVISIONAL)


def find_experiment_id(store: Store) -> str:
    """Returns the id of a store's experiment, which is asked for, and made, where the store was opened without it.

    Raises:
        UnreachableError: Nothing answers.
        Exception: Whatever MLflow raises; `is_away` tells what a later attempt may mend.
    """
    return store.experiment_id or _find_by_name(store.uri, store.experiment_name)


def find_run_id(store: Store, run_id: str) -> str:
    """Returns the store's id of a run.

    Raises:
        NotDeliveredError: The store does not have it yet.
        UnreachableError: Nothing answers.
        Exception: Whatever MLflow raises.
    """
    return _find_by_journal(store.uri, find_experiment_id(store), run_id) if is_provisional(run_id) else run_id


def name_parent(store: Store, tags: Mapping[str, str]) -> dict[str, str]:
    """Returns the tags of a run with the store's id of the run that it belongs to.

    Raises:
        NotDeliveredError: The store does not have that one yet.
        UnreachableError: Nothing answers.
        Exception: Whatever MLflow raises.
    """
    return {key: find_run_id(store, value) if key == PARENT_TAG else value for key, value in tags.items()}


def locate_run(store: Store, run_id: str) -> tuple[Store, str]:
    """Returns a store that knows its experiment's id, and the store's id of a run.

    Raises:
        TrackingError: The store does not answer, or does not have the run yet.
    """
    try:
        return replace(store, experiment_id=find_experiment_id(store)), find_run_id(store, run_id)
    except TrackingError:
        raise
    except Exception as error:
        raise TrackingError(f"Cannot look for run {run_id} at {show_uri(store.uri)}: {short_reason(error)}.") from error


@lru_cache(maxsize=64)
def _find_by_name(uri: str, name: str) -> str:
    check_reachable(uri)
    return find_experiment(connect(uri), name)


@lru_cache(maxsize=4096)
def _find_by_journal(uri: str, experiment_id: str, journal_id: str) -> str:
    check_reachable(uri)
    found = connect(uri).search_runs(
        [experiment_id],
        filter_string=f"tags.`{JOURNAL_TAG}` = '{journal_id}'",
        # One that was deleted meanwhile is no reason to make another.
        run_view_type=ViewType.ALL,
        max_results=1,
    )
    if not found:
        raise NotDeliveredError(
            f"Run {journal_id}, which was begun without the tracking server, has not been delivered to "
            f"{show_uri(uri)} yet."
        )
    return str(found[0].info.run_id)
