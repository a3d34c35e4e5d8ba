"""The cells of a sweep, run one after another; none of them can stop the others."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.utils import JobStatus

from src.errors import TrackingError
from src.explanation import describe_error
from src.sweep.application import Place
from src.sweep.grid import Cell
from src.sweep.plan import Sweep
from src.sweep.room import Room
from src.tracking.records import load_children
from src.tracking.run import TrackedRun, start_run
from src.tracking.store import Store


def run_cells(
    sweep: Sweep, store: Store, parent: TrackedRun, found_overrides: Sequence[Sequence[str]], room: Room
) -> list[tuple[Cell, str]]:
    """Runs the cells one after another and returns those that failed, each with its reason.

    Raises:
        FullDiskError: A disk is nearly full, before the next cell would have been started.
    """
    errors = []
    for cell, found in zip(sweep.cells, found_overrides, strict=True):
        room.check()
        sweep.console.rule(f"{cell.number + 1}/{len(sweep.cells)}  {cell.name}")
        place = Place(store.experiment_name, store.experiment_id, parent.run_id, cell.name, cell.number)
        overrides = [*cell.overrides, *found, *sweep.application.place(place)]
        error = _launch(sweep, overrides, cell.number)
        if error is not None:
            message = describe_error(error) or f"{type(error).__name__}: {error}"
            sweep.console.print(f"Failed: {message}", style="red")
            errors.append((cell, message))
            _record_failure(sweep, store, parent, cell, message)
    return errors


def _launch(sweep: Sweep, overrides: Sequence[str], number: int) -> BaseException | None:
    try:
        result = sweep.launch(overrides, number)
    except SystemExit as error:
        # Hydra catches exceptions of a job, but not this one, which would end the whole sweep.
        return error
    if result.status is JobStatus.COMPLETED:
        return None
    # Reading `return_value` would raise, and print on its own.
    failure = result._return_value
    return failure if isinstance(failure, BaseException) else RuntimeError("The job ended without a result.")


def _record_failure(sweep: Sweep, store: Store, parent: TrackedRun, cell: Cell, message: str) -> None:
    """Records a cell that failed before it had a run of its own, so that the comparison misses none."""
    try:
        numbers = {
            record.tags.get("fitgap.trial_number") for record in load_children(store, parent.run_id, histories=False)
        }
        if str(cell.number) not in numbers:
            _start_failed_run(store, parent, cell, message)
    except TrackingError as error:
        # Whatever else happened, the sweep goes on; at its end the exit code tells of the failure.
        sweep.console.print(str(error), style="yellow")


def _start_failed_run(store: Store, parent: TrackedRun, cell: Cell, message: str) -> None:
    tags = {
        "fitgap.kind": "trial",
        "fitgap.state": "failed",
        "fitgap.arm": cell.name,
        "fitgap.trial_number": str(cell.number),
        "fitgap.error": message,
    }
    start_run(store, name=cell.name, tags=tags, parent_run_id=parent.run_id, defer=True).finish("FAILED")
