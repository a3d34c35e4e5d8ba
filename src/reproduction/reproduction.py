"""A reproduction, read top to bottom: run what is missing, hold it against what was published, write the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from src.config.paths import PROJECT_ROOT
from src.config.tracking import TrackingConfig
from src.console import print_facts, print_table
from src.errors import StorageError, TrainingError
from src.figures.reproduction import Reproduced, plot_reproduction
from src.figures.style import save_figure
from src.published.curves import load_published
from src.reproduction.attempt import EXPERIMENT, Attempt, plan_attempts
from src.reproduction.document import PICTURE, write_document
from src.reproduction.execution import Train, execute_training, find_records, run_missing
from src.reproduction.request import Request
from src.reproduction.result import RecipeResult
from src.reproduction.table import write_table
from src.tracking.reconciliation import reconcile
from src.tracking.records import RunRecord, load_finished, load_histories
from src.tracking.store import Store, open_store

#: How long it is waited for what dead processes have left on disk.
_RECONCILE_SECONDS = 30.0


def reproduce(
    request: Request, console: Console, *, root: Path = PROJECT_ROOT, train: Train = execute_training
) -> list[RecipeResult]:
    """Trains what the store does not have, and reports on all of it.

    Args:
        request: What is to be reproduced.
        console: Where to print.
        root: The project's root, which holds the default store.
        train: What executes a training with overrides and returns its exit code.

    Returns:
        A result for each recipe asked for.

    Raises:
        ConfigError: There is no such recipe, or a value is not allowed.
        TrackingError: The store does not answer.
        StorageError: The report cannot be written.
        TrainingError: Trainings have failed; the report is written all the same.
        KeyboardInterrupt: The user ended it; the same command goes on from there.
    """
    attempts = plan_attempts(request)
    store = open_store(TrackingConfig(uri=request.uri, experiment=EXPERIMENT), root)
    # A run whose end the store has missed would be trained once more.
    reconcile(store).join(_RECONCILE_SECONDS)
    failures = run_missing(store, attempts, console, train) if request.train else {}
    results = collect_results(store, attempts, failures)
    write_report(results, request)
    _print_results(console, results, request.output)
    if failures:
        listed = "\n  ".join(f"{name}: {reason}" for name, reason in failures.items())
        raise TrainingError(
            f"{len(failures)} of {len(attempts)} trainings failed; each has said why above. The same command tries "
            f"them again.\n  {listed}"
        )
    return results


def collect_results(store: Store, attempts: Sequence[Attempt], failures: Mapping[str, str]) -> list[RecipeResult]:
    """Reads the runs of a reproduction from the store, and says of each recipe what is missing.

    Raises:
        TrackingError: The store does not answer.
    """
    found = find_records(attempts, load_finished(store))
    results = []
    for recipe, records in found.items():
        of_recipe = [attempt for attempt in attempts if attempt.recipe == recipe]
        complete = [record for record in load_histories(store, records) if len(record.history) == of_recipe[0].epochs]
        reason = _find_reason(of_recipe, complete, failures)
        results.append(RecipeResult(load_published(recipe), of_recipe[0].epochs, tuple(complete), reason))
    return results


def write_report(results: Sequence[RecipeResult], request: Request) -> None:
    """Writes the document, the table and the picture of a reproduction.

    Raises:
        StorageError: The folder cannot be written.
    """
    folder = request.output
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "reproduction.md").write_text(write_document(results, request), encoding="utf-8")
        (folder / "reproduction.csv").write_text(write_table(results), encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"The report cannot be written to {error.filename or folder}: {error.strerror}. Give another --output."
        ) from error
    shown = [Reproduced(result.published, result.histories) for result in results if result.records]
    if shown:
        save_figure(plot_reproduction(shown, "The published recipes, trained anew"), folder / PICTURE)
    else:
        # A picture of an earlier report would pass for this one's.
        (folder / PICTURE).unlink(missing_ok=True)


def _find_reason(attempts: Sequence[Attempt], records: Sequence[RunRecord], failures: Mapping[str, str]) -> str | None:
    """Returns why not every seed of a recipe has a run; None if every one has."""
    seeds = {record.params.get("seed") for record in records}
    missing = [attempt for attempt in attempts if str(attempt.seed) not in seeds]
    if not missing:
        return None
    failed = [f"{attempt.name} failed ({failures[attempt.name]})" for attempt in missing if attempt.name in failures]
    if failed:
        return ", ".join(failed)
    if missing[0].obstacle is not None:
        return missing[0].obstacle
    return f"{', '.join(attempt.name for attempt in missing)} has not been trained for {missing[0].epochs} epochs yet"


def _print_results(console: Console, results: Sequence[RecipeResult], output: Path) -> None:
    rows = [
        (
            result.published.recipe,
            f"{result.epochs}/{len(result.published)}",
            f"{result.counterpart.val_accuracy:.3f}",
            f"{result.final.mean:.3f}",
            f"{result.difference:+.3f}",
            str(len(result.records)),
        )
        for result in results
        if result.records
    ]
    if rows:
        header = ("recipe", "epochs", "published there", "ours", "difference", "seeds")
        print_table(console, "validation accuracy after the last of our epochs", header, rows)
    missing = [(result.published.recipe, result.reason) for result in results if result.reason]
    if missing:
        print_facts(console, "missing", missing)
    print_facts(console, "report", [("files", str(output))])
