"""One sweep from its first check to its report: every cell becomes a run under one parent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from rich.console import Console

from src.closing import print_closing
from src.config.run import RunConfig
from src.console import print_facts
from src.errors import FitgapError, StorageError, TrackingError
from src.explanation import describe_error
from src.sweep.application import Application
from src.sweep.comparison import Comparison
from src.sweep.grid import Cell
from src.sweep.report import build_report, print_comparison, record_report, title_report
from src.tracking.facts import describe_environment
from src.tracking.reconciliation import reconcile
from src.tracking.records import load_children
from src.tracking.run import TrackedRun, start_run
from src.tracking.store import Store, open_store
from src.tracking.sweeps import add_to_run, discard_models


class FailedCellsError(FitgapError):
    """Some cells of a sweep did not complete; the others did, and are compared."""


#: MLflow's status of the parent run by `fitgap.state`.
_STATUSES = {"complete": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}


@dataclass(frozen=True)
class Sweep:
    """What a sweep needs to run.

    Attributes:
        cells: What shall be run.
        configs: The configuration of each, checked.
        launch: Runs one job with the given overrides and number, and returns how it ended.
        application: Prepares the cells.
        folder: Folder for the files of the sweep.
        console: Where the person who started it looks.
    """

    cells: Sequence[Cell]
    configs: Sequence[RunConfig]
    launch: Callable[[Sequence[str], int], JobReturn]
    application: Application
    folder: Path
    console: Console


def execute_sweep(sweep: Sweep) -> Comparison | None:
    """Fetches what the cells share, runs each, and compares them.

    A failing cell does not stop the others. Ctrl-C ends the sweep, and what there is by then is compared.

    Returns:
        The comparison, or None where the store could not be read at the end.

    Raises:
        FailedCellsError: Some cells did not complete; all others did.
        FitgapError: Data, weights or the store cannot be had; no cell has been started.
        KeyboardInterrupt: The user ended it.
    """
    store = open_store(sweep.configs[0].tracking)
    reconcile(store)
    preparation = sweep.application.prepare(sweep.configs)
    make_folder(sweep.folder)
    parent = start_parent(store, sweep, preparation.warnings)
    _print_plan(sweep, parent, store)
    for warning in preparation.warnings:
        sweep.console.print(warning, style="yellow")
    try:
        errors = run_cells(sweep, store, parent, preparation.overrides)
    except BaseException as error:
        close_sweep(sweep, store, parent, "interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        raise
    comparison = close_sweep(sweep, store, parent, "complete")
    if errors:
        failed = "\n".join(f"  {cell.name}: {message}" for cell, message in errors)
        raise FailedCellsError(f"{len(errors)} of {len(sweep.cells)} cells failed:\n{failed}")
    return comparison


def make_folder(folder: Path) -> None:
    """Makes the folder for the files of a sweep, where it is not there yet.

    Raises:
        StorageError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The folder of the sweep, {folder}, cannot be made: {error.strerror}. Give a folder that can be written "
            "with hydra.sweep.dir=…."
        ) from error


def close_sweep(sweep: Sweep, store: Store, parent: TrackedRun, state: str) -> Comparison | None:
    """Compares what there is, ends the parent run, and says where to look; without a store it says what to do later."""
    comparison = None
    try:
        report = build_report(store, parent.run_id, sweep.folder, title_report(store, parent.name))
        record_report(parent, report)
        comparison = report.comparison
        settle_models(sweep, store, parent, comparison, measure=state == "complete")
        print_comparison(sweep.console, comparison)
    except (FitgapError, OSError) as error:
        remedy = f"Later: python -m src.deliver, then python -m src.report {parent.run_id}"
        sweep.console.print(f"No comparison yet: {error}\n{remedy}", style="yellow")
    finally:
        parent.set_tags({"fitgap.state": state})
        delivery = parent.finish(_STATUSES[state])
    print_closing(sweep.console, f"{parent.name}: {state}", parent, delivery)
    return comparison


def start_parent(store: Store, sweep: Sweep, warnings: Sequence[str]) -> TrackedRun:
    """Starts the parent run, under which the cells' runs appear."""
    axes: dict[str, list[str]] = {}
    for cell in sweep.cells:
        for key, value in cell.axes.items():
            values = axes.setdefault(key, [])
            if value not in values:
                values.append(value)
    choices = " and ".join(f"{key}={','.join(values)}" for key, values in axes.items()) or "one configuration"
    tags = {
        **describe_environment(),
        **sweep.configs[0].tracking.tags,
        "fitgap.kind": "sweep",
        "fitgap.state": "running",
        "fitgap.question": f"Which of {choices} generalizes best on {sweep.configs[0].dataset.name}?",
    }
    if warnings:
        tags["fitgap.warnings"] = "\n".join(warnings)
    parent = start_run(store, name=_name_sweep(sweep), tags=tags)
    parent.log_params(
        {**{f"grid.{key}": ",".join(values) for key, values in axes.items()}, "num_cells": len(sweep.cells)}
    )
    return parent


def run_cells(
    sweep: Sweep, store: Store, parent: TrackedRun, found_overrides: Sequence[Sequence[str]]
) -> list[tuple[Cell, str]]:
    """Runs the cells one after another and returns those that failed, each with its reason."""
    errors = []
    for cell, found in zip(sweep.cells, found_overrides, strict=True):
        sweep.console.rule(f"{cell.number + 1}/{len(sweep.cells)}  {cell.name}")
        place = {
            "tracking.experiment": store.experiment_name,
            "tracking.experiment_id": store.experiment_id,
            "tracking.parent_run_id": parent.run_id,
            "tracking.arm": cell.name,
            "tracking.trial_number": str(cell.number),
        }
        overrides = [*cell.overrides, *found, *(f"{key}={_quote(value)}" for key, value in place.items())]
        error = _launch(sweep, overrides, cell.number)
        if error is not None:
            message = describe_error(error) or f"{type(error).__name__}: {error}"
            sweep.console.print(f"Failed: {message}", style="red")
            errors.append((cell, message))
            _record_failure(sweep, store, parent, cell, message)
    return errors


def settle_models(sweep: Sweep, store: Store, parent: TrackedRun, comparison: Comparison, *, measure: bool) -> None:
    """Deletes the models of runs far behind the best; with `measure`, measures the best on the test images first.

    Raises:
        TrackingError: The store does not answer.
    """
    best, tracking = comparison.best, sweep.configs[0].tracking
    if best is None or not tracking.log_model:
        return
    if measure:
        # For the first time: a sweep that is not over could still choose by what it sees here.
        metrics = sweep.application.measure_test(sweep.configs[best.number], best.run_id)
        parent.log_metrics(metrics)
        add_to_run(store, best.run_id, metrics=metrics)
    discard_models(store, [row.run_id for row in comparison.ranking[tracking.keep_models :]])


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
        numbers = {record.tags.get("fitgap.trial_number") for record in load_children(store, parent.run_id)}
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
    start_run(store, name=cell.name, tags=tags, parent_run_id=parent.run_id).finish("FAILED")


def _name_sweep(sweep: Sweep) -> str:
    keys = ", ".join(dict.fromkeys(key for cell in sweep.cells for key in cell.axes)) or "one cell"
    return f"grid of {keys}"


def _print_plan(sweep: Sweep, parent: TrackedRun, store: Store) -> None:
    facts = [
        ("cells", f"{len(sweep.cells)}, one after another"),
        ("parent run", f"{parent.run_id} in experiment {store.experiment_name}"),
    ]
    print_facts(sweep.console, _name_sweep(sweep), facts)


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
