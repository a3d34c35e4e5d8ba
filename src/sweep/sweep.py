"""One sweep from its first check to its report: every cell becomes a run under one parent."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from src.comparison.charts import arrange_charts
from src.comparison.comparison import Comparison
from src.comparison.report import build_report, print_comparison, record_report
from src.comparison.subject import Subject
from src.console import print_facts
from src.errors import FitgapError
from src.sweep.execution import run_cells
from src.sweep.finale import Finale
from src.sweep.folder import make_folder
from src.sweep.plan import Sweep
from src.sweep.room import survey_room
from src.sweep.signals import Interruption
from src.tracking.facts import describe_environment
from src.tracking.reconciliation import reconcile
from src.tracking.run import TrackedRun, start_run
from src.tracking.store import Store, may_be_away, open_store
from src.tracking.sweeps import add_to_run, discard_models


class FailedCellsError(FitgapError):
    """Some cells of a sweep did not complete; the others did, and are compared."""


def execute_sweep(sweep: Sweep) -> Comparison | None:
    """Fetches what the cells share, runs each, and compares them.

    A failing cell does not stop the others. Ctrl-C ends the sweep, and what there is by then is compared.

    Returns:
        The comparison, or None where the store could not be read at the end.

    Raises:
        FailedCellsError: Some cells did not complete; all others did.
        FullDiskError: A disk is nearly full; no further cell has been started.
        FitgapError: Data, weights or the store cannot be had; no cell has been started.
        KeyboardInterrupt: The user ended it.
    """
    room = survey_room(sweep.settings, sweep.configs, sweep.folder)
    room.check()
    store = open_store(sweep.configs[0].tracking)
    reconcile(store)
    preparation = sweep.application.prepare(sweep.configs)
    make_folder(sweep.folder)
    parent = start_parent(store, sweep, preparation.warnings)
    _print_plan(sweep, parent, store)
    for warning in preparation.warnings:
        sweep.console.print(warning, style="yellow")
    try:
        errors = run_cells(sweep, store, parent, preparation.overrides, room)
    except BaseException as error:
        state = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        close_sweep(sweep, store, parent, preparation.warnings, state)
        raise
    comparison = close_sweep(sweep, store, parent, preparation.warnings, "complete")
    if errors:
        failed = "\n".join(f"  {cell.name}: {message}" for cell, message in errors)
        raise FailedCellsError(f"{len(errors)} of {len(sweep.cells)} cells failed:\n{failed}")
    return comparison


def close_sweep(
    sweep: Sweep, store: Store, parent: TrackedRun, warnings: Sequence[str], state: str
) -> Comparison | None:
    """Compares what there is, ends the parent run, and says where to look; without a store it says what to do later.

    A signal meanwhile costs the test score and no more.

    Raises:
        KeyboardInterrupt: There was one; all else is done.
    """
    finale, interruption = Finale(sweep.console, store, parent), Interruption()
    comparison = None
    with interruption.listen(inline=False):
        interruption.settle()
        try:
            # Cells end before the store has all of them.
            finale.catch_up("sweep")
            with finale.attempt("No comparison yet"):
                subject = Subject(parent.name, sweep.question, axes=list(sweep.axes), warnings=warnings)
                report = build_report(store, parent.run_id, sweep.folder, subject)
                record_report(parent, report)
                comparison = report.comparison
                print_comparison(sweep.console, comparison)
            if comparison is not None:
                with finale.attempt("The comparison is not complete"):
                    measure = state == "complete"
                    settle_models(sweep, store, parent, comparison, interruption, measure=measure)
        finally:
            finale.end(state)
    interruption.pass_on()
    return comparison


def start_parent(store: Store, sweep: Sweep, warnings: Sequence[str]) -> TrackedRun:
    """Starts the parent run, under which the cells' runs appear."""
    tags = {
        **describe_environment(),
        **sweep.configs[0].tracking.tags,
        "fitgap.kind": "sweep",
        "fitgap.state": "running",
        "fitgap.question": sweep.question,
    }
    if warnings:
        tags["fitgap.warnings"] = "\n".join(warnings)
    parent = start_run(store, name=sweep.name, tags=tags, defer=may_be_away(sweep.configs[0].tracking))
    axes = {f"grid.{key}": ",".join(values) for key, values in sweep.axes.items()}
    parent.log_params({**axes, "num_cells": len(sweep.cells)})
    arrange_charts(parent, sweep.question, sweep.axes, sweep.configs[0].settings)
    return parent


def settle_models(
    sweep: Sweep,
    store: Store,
    parent: TrackedRun,
    comparison: Comparison,
    interruption: Interruption,
    *,
    measure: bool,
) -> None:
    """Deletes the models of runs far behind the best; with `measure`, measures the best on the test images first.

    A signal ends the measurement.

    Raises:
        TrackingError: The store does not answer.
    """
    best, tracking = comparison.best, sweep.configs[0].tracking
    if best is None or not tracking.log_model:
        return
    if measure:
        # For the first time: a sweep that is not over could still choose by what it sees here.
        metrics: dict[str, float] = {}
        with contextlib.suppress(KeyboardInterrupt), interruption.giving_way():
            metrics = sweep.application.measure_test(sweep.configs[int(best.values["trial_number"])], best.run_id)
        parent.log_metrics(metrics)
        add_to_run(store, best.run_id, metrics=metrics)
    discard_models(store, [row.run_id for row in comparison.ranking[tracking.keep_models :]])


def _print_plan(sweep: Sweep, parent: TrackedRun, store: Store) -> None:
    facts = [
        ("cells", f"{len(sweep.cells)}, one after another"),
        ("parent run", f"{parent.run_id} in experiment {store.experiment_name}"),
    ]
    print_facts(sweep.console, sweep.name, facts)
