"""The report of a sweep: its comparison, built from the tracking store and recorded with the parent run."""

from __future__ import annotations

from pathlib import Path

from src.sweep.comparison import Comparison, compare_runs
from src.tracking.records import load_children
from src.tracking.run import TrackedRun
from src.tracking.store import Store


def build_report(store: Store, parent: TrackedRun, folder: Path, title: str) -> Comparison:
    """Compares a sweep's runs as the store has them now, and records table, picture and summary with the parent.

    Raises:
        TrackingError: The store cannot be read.
    """
    comparison = compare_runs(load_children(store, parent.run_id))
    table, picture = folder / "comparison.csv", folder / "comparison.png"
    comparison.write_csv(table)
    comparison.draw(picture, title)
    parent.log_artifact(table)
    parent.log_artifact(picture)
    parent.log_metrics(comparison.summary())
    tags = {"mlflow.note.content": comparison.describe()}
    if comparison.best is not None:
        tags |= {"fitgap.best_run_id": comparison.best.run_id, "fitgap.best_arm": comparison.best.name}
    parent.set_tags(tags)
    return comparison
