"""Brings the store up to date, in the background, with what dead processes have left in its outbox."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from mlflow.tracking import MlflowClient

from src.errors import TrackingError
from src.tracking.address import short_reason, show_uri
from src.tracking.outbox import await_outbox, deliver_pending
from src.tracking.store import Store, connect

#: Runs that the store is asked for at a time.
_PAGE = 1000

_log = logging.getLogger(__name__)


def reconcile(store: Store) -> threading.Thread:
    """Starts to deliver the outbox, so that no run that was killed stays `RUNNING` until somebody runs `src.deliver`.

    Runs of living processes are left alone, and several processes may do this at once. Whatever goes wrong is left to
    the next look, and to `src.deliver`, which says why.

    Returns:
        The thread; a daemon, which ends with the process and leaves what it has not delivered where it was.
    """
    thread = threading.Thread(target=_reconcile, args=(store,), name="fitgap-reconcile", daemon=True)
    thread.start()
    return thread


def catch_up(store: Store, timeout_seconds: float) -> bool:
    """Has the store get all runs that have ended, of dead processes and of living ones, before they are read.

    Args:
        store: The store, which answers.
        timeout_seconds: Longest time to wait.

    Returns:
        Whether it has them all, but for what it refuses for good.
    """
    deadline = time.monotonic() + timeout_seconds
    reconcile(store).join(timeout_seconds)
    return await_outbox(store.outbox, max(0.0, deadline - time.monotonic()), uri=store.uri)


def close_abandoned(uri: str, outbox: Path) -> int:
    """Closes runs that nobody records any more and that no journal will close, and returns how many those were.

    For a store that was put back from a backup, and is used by no process.

    Args:
        uri: The store's resolved tracking URI.
        outbox: Folder of the journals that it was put back with; the runs of these are closed as they are delivered.

    Raises:
        TrackingError: The store does not answer.
    """
    try:
        client = connect(uri)
        abandoned = [run_id for run_id in _list_running(client) if not any(outbox.glob(f"{run_id}*"))]
        for run_id in abandoned:
            client.set_tag(run_id, "fitgap.state", "lost")
            client.set_terminated(run_id, "KILLED")
    except Exception as error:
        raise TrackingError(f"Cannot close runs at {show_uri(uri)}: {short_reason(error)}.") from error
    return len(abandoned)


def _list_running(client: MlflowClient) -> list[str]:
    """Returns the ids of all runs that go on, of all experiments."""
    experiments, token = [experiment.experiment_id for experiment in client.search_experiments()], None
    run_ids: list[str] = []
    while True:
        page = client.search_runs(experiments, "attributes.status = 'RUNNING'", max_results=_PAGE, page_token=token)
        run_ids += [str(run.info.run_id) for run in page]
        token = page.token
        if not token:
            return run_ids


def _reconcile(store: Store) -> None:
    try:
        deliveries = deliver_pending(store.outbox, quiet=True)
    except Exception as error:
        _log.debug("The outbox %s could not be looked through: %s", store.outbox, error)
        return
    for delivery in deliveries:
        if delivery.delivered:
            _log.info("Run %s (%s), left by a process that has ended, was delivered.", delivery.name, delivery.run_id)
