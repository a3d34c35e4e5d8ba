"""The report of a sweep: its comparison, built from the tracking store and recorded with the parent run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from rich.console import Console

from src.comparison.charts import describe_charts
from src.comparison.comparison import Comparison, compare_runs, compare_trials
from src.comparison.page import build_page
from src.comparison.pictures import draw_pictures
from src.comparison.retries import RETRIES_TAG, Retries, mark_retried
from src.comparison.selection import select_trials
from src.comparison.subject import Subject, read_subject
from src.comparison.tables import write_evidence
from src.config.paths import PROJECT_ROOT
from src.console import print_facts, print_table
from src.errors import FitgapError, StorageError
from src.page.files import write_page
from src.tracking.address import resolve_uri, sqlite_path
from src.tracking.delivery import Delivery
from src.tracking.identity import locate_run
from src.tracking.outbox import deliver_command
from src.tracking.reconciliation import catch_up
from src.tracking.records import load_children, load_histories, load_run
from src.tracking.run import TrackedRun
from src.tracking.store import Store
from src.tracking.sweeps import MADE, REPORT_TAG, add_to_run, find_sweep, find_view, list_due

#: How long a report waits for what processes, dead and living, have not delivered yet.
_DELIVERY_SECONDS = 60.0


@dataclass(frozen=True)
class Report:
    """A sweep's comparison and what the parent run gets of it.

    Attributes:
        comparison: What is compared, side by side.
        files: Tables, pictures and the page, on disk.
        metrics: The parent's once-per-run metrics.
        tags: The parent's description and its best run.
    """

    comparison: Comparison
    files: tuple[Path, ...]
    metrics: dict[str, float]
    tags: dict[str, str]


def build_report(store: Store, parent_run_id: str, folder: Path, subject: Subject) -> Report:
    """Compares a sweep's runs as the store has them now, and writes tables, pictures and the page.

    Raises:
        TrackingError: The store cannot be read.
        StorageError: The folder cannot be written.
    """
    store, parent_run_id = locate_run(store, parent_run_id)
    comparison = _compare(store, parent_run_id, subject)
    table, picture, page = folder / "comparison.csv", folder / "comparison.png", folder / "report.html"
    title = _title(store, subject)
    files = [table]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        comparison.write_csv(table)
        files += write_evidence(comparison.evidence, folder)
    except OSError as error:
        raise StorageError(
            f"The report cannot be written to {error.filename or folder}: {error.strerror}. Give a folder that can be "
            "written: --output of src.report, hydra.sweep.dir of src.train."
        ) from error
    if comparison.has_curves:
        comparison.draw(picture, title)
        files.append(picture)
    files += draw_pictures(comparison, title, folder)
    facts = [("experiment", store.experiment_name), ("parent run", parent_run_id)]
    write_page(build_page(comparison, subject, facts=facts, experiment_id=store.experiment_id), page)
    files.append(page)
    run_ids = [row.run_id for row in comparison.rows if row.run_id]
    link = f"[Compare them in MLflow]({link_comparison(store.experiment_id, run_ids)})" if run_ids else ""
    page_link = f"[Its report]({link_artifact(store.experiment_id, parent_run_id, page.name)})"
    links = " · ".join(filter(None, [page_link, describe_charts(find_view(store, parent_run_id)), link]))
    tags = {"mlflow.note.content": subject.describe(comparison.describe(), links)}
    if comparison.best is not None:
        tags |= {"fitgap.best_run_id": comparison.best.run_id, "fitgap.best_arm": comparison.best.arm}
    return Report(comparison, tuple(files), comparison.summary, tags)


def record_report(parent: TrackedRun, report: Report) -> None:
    """Records a report with the parent run of the sweep that this process runs."""
    for path in report.files:
        parent.log_artifact(path)
    parent.log_metrics(report.metrics)
    parent.set_tags(report.tags)


def rebuild_report(parent_run_id: str | None, *, uri: str | None, output: Path | None, console: Console) -> Report:
    """Builds the report of any sweep in the store again, adds it to the parent run, and prints it.

    Args:
        parent_run_id: The sweep's parent run; None takes the newest sweep.
        uri: Tracking URI; None takes MLflow's default place in the project's root.
        output: Folder in which the files stay; None keeps them in the store alone.
        console: Where to print.

    Raises:
        TrackingError: The store does not answer, or holds no such sweep.
        StorageError: The folder cannot be written.
    """
    store, parent = find_sweep(parent_run_id, uri)
    # Runs that were killed, or whose end the store has missed, are to appear as what they are.
    whole = catch_up(store, _DELIVERY_SECONDS)
    # The parent run itself may have been among them.
    parent = load_run(store, parent.run_id)
    mark_retried(store, parent.run_id, Retries.from_text(parent.tags.get(RETRIES_TAG, "")))
    with tempfile.TemporaryDirectory() as temporary:
        folder = output or Path(temporary)
        report = build_report(store, parent.run_id, folder, read_subject(parent))
        tags = {**report.tags, **({REPORT_TAG: MADE} if whole else {})}
        add_to_run(store, parent.run_id, files=report.files, metrics=report.metrics, tags=tags)
    print_comparison(console, report.comparison)
    where = str(output) if output else "the run's artifacts"
    facts = [("parent run", f"{parent.run_id} in experiment {store.experiment_name}"), ("files", where)]
    print_facts(console, f"report of {parent.name}", facts)
    if not whole:
        later = f"Runs that have ended are still on disk; it may lack some. Later: {deliver_command(store.outbox)}"
        console.print(later, style="yellow", soft_wrap=True)
    return report


def make_up_reports(deliveries: Sequence[Delivery], uri: str | None, console: Console) -> None:
    """Builds the reports of sweeps whose store was away when they ended, and says what still cannot be built.

    Args:
        deliveries: What has just become of journals: a store that is away is left to the next time.
        uri: Tracking URI of a store that is looked at in any case; None takes the one by default.
        console: Where to print.

    Raises:
        TrackingError: No run can be recorded under the URI.
    """
    default = resolve_uri(uri, PROJECT_ROOT)
    path = sqlite_path(default)
    stores = {delivery.uri for delivery in deliveries if delivery.uri}
    stores |= {default} if path is None or path.exists() else set()
    for store in sorted(stores - {delivery.uri for delivery in deliveries if delivery.away}):
        try:
            due = list_due(store)
        except FitgapError as error:
            console.print(f"Reports may be due: {error}", style="yellow", soft_wrap=True)
            continue
        for run_id in due:
            try:
                rebuild_report(run_id, uri=store, output=None, console=console)
            except FitgapError as error:
                console.print(f"The report of {run_id} is still due: {error}", style="yellow", soft_wrap=True)


def link_artifact(experiment_id: str, run_id: str, name: str) -> str:
    """Returns the address of a run's artifact in MLflow's pages, relative to its start page."""
    return f"#/experiments/{experiment_id}/runs/{run_id}/artifacts/{name}?workflowType=machine_learning"


def link_comparison(experiment_id: str, run_ids: Sequence[str]) -> str:
    """Returns the address of MLflow's own comparison of runs, relative to its start page."""
    runs, experiments = (quote(json.dumps(ids)) for ids in (list(run_ids), [experiment_id]))
    return f"#/compare-runs?runs={runs}&experiments={experiments}"


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Prints the comparison as a table, and what is searched for the best of it."""
    print_table(console, comparison.title, comparison.header, comparison.cells())
    if comparison.best is None:
        return
    console.print(f"best: {comparison.describe_best()}", style="bold")
    searched = [(row.name, row.label) for row in comparison.ranking if row.label]
    if comparison.searched and searched:
        print_facts(console, "with", searched)


def _title(store: Store, subject: Subject) -> str:
    """Returns the title of a sweep's picture; searches are named after their experiment already."""
    named = subject.name.startswith(store.experiment_name)
    return subject.name if named else f"{store.experiment_name}: {subject.name}"


def _compare(store: Store, parent_run_id: str, subject: Subject) -> Comparison:
    if subject.objectives is None:
        return compare_runs(load_children(store, parent_run_id), subject.axes)
    # A search may have a thousand trials: epochs are read of those alone that are shown.
    records = load_children(store, parent_run_id, histories=False)
    selection = select_trials(records, subject.objectives, single=subject.num_arms == 1)
    shown = tuple(load_histories(store, selection.records))
    return compare_trials(
        replace(selection, records=shown),
        subject.objectives,
        subject.space,
        records=records,
        arm_keys=subject.axes,
    )
