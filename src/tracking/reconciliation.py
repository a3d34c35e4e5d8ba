"""Brings the store up to date, in the background, with what dead processes have left in its outbox."""

from __future__ import annotations

import logging
import threading

from src.tracking.outbox import deliver_pending
from src.tracking.store import Store

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


def _reconcile(store: Store) -> None:
    try:
        deliveries = deliver_pending(store.outbox, quiet=True)
    except Exception as error:
        _log.debug("The outbox %s could not be looked through: %s", store.outbox, error)
        return
    for delivery in deliveries:
        if delivery.delivered:
            _log.info("Run %s (%s), left by a process that has ended, was delivered.", delivery.name, delivery.run_id)
