"""The end of a sweep: nothing that fails there may hide the rest, or why the sweep itself ended."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from src.closing import print_closing
from src.ending import STATUSES
from src.errors import FitgapError, StorageError, TrackingError
from src.tracking.address import check_reachable, show_uri
from src.tracking.outbox import deliver_command
from src.tracking.reconciliation import catch_up
from src.tracking.run import TrackedRun
from src.tracking.store import Store, name_viewer
from src.tracking.sweeps import DUE, MADE, REPORT_TAG, find_view

#: Longest wait for what is to be delivered of the parent run.
_PARENT_SECONDS = 30.0
#: Longest wait for what processes, dead and living, have not delivered yet.
_DELIVERY_SECONDS = 60.0

_log = logging.getLogger(__name__)


class Finale:
    """The last things that are done about a sweep, each on its own.

    Attributes:
        incomplete: Whether the tracking store lacks something that it can be given later.
    """

    def __init__(self, console: Console, store: Store, parent: TrackedRun) -> None:
        """Takes where to print, and the sweep's parent run."""
        self.console = console
        self.store = store
        self.parent = parent
        self.incomplete = False

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Goes on after the block if it fails, and says what there is not.

        Args:
            what: What is missing then: `The comparison is not complete`.
        """
        try:
            yield
        except (FitgapError, OSError) as error:
            self.incomplete |= isinstance(error, TrackingError | StorageError | OSError)
            self.console.print(f"{what}: {error}", style="yellow", soft_wrap=True)
        except Exception as error:
            # A defect, of ours or of a library: its traceback belongs into the log, and the result to people.
            _log.info("%s", what, exc_info=True)
            self.console.print(f"{what}: {type(error).__name__}: {error}", style="yellow", soft_wrap=True)

    def catch_up(self, what: str) -> None:
        """Has the store get what it has missed while it was away: what is read of it from here on is to be whole."""
        with self.attempt(f"The tracking store does not have all of this {what}"):
            check_reachable(self.store.uri)
            # It takes the runs of a sweep only once it has the parent run.
            self.parent.flush(_PARENT_SECONDS)
            if not catch_up(self.store, _DELIVERY_SECONDS):
                raise TrackingError("runs that have ended are still on disk.")

    def end(self, state: str) -> None:
        """Ends the parent run, and says where to look; what could not be done can be made up for later."""
        self.parent.set_tags({"fitgap.state": state, REPORT_TAG: DUE if self.incomplete else MADE})
        delivery = self.parent.finish(STATUSES[state])
        if self.incomplete:
            where = "" if name_viewer(self.store) == "mlflow ui" else f" --uri {show_uri(self.store.uri)}"
            remedy = f"{deliver_command(self.store.outbox)}, then python -m src.report {self.parent.run_id}{where}"
            self.console.print(f"Later: {remedy}", style="yellow", soft_wrap=True)
        charts = find_view(self.store, self.parent.run_id)
        print_closing(self.console, f"{self.parent.name}: {state}", self.parent, delivery, charts)
