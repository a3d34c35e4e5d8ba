"""Runs what the store does not have yet, one training after another, each as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

from rich.console import Console

from src.reproduction.attempt import Attempt
from src.tracking.records import RunRecord, load_finished
from src.tracking.store import Store

#: Executes a training with overrides and returns its exit code.
Train = Callable[[Sequence[str]], int]


def run_missing(store: Store, attempts: Sequence[Attempt], console: Console, train: Train) -> dict[str, str]:
    """Runs each training that can be run and is not in the store; goes on after one that fails.

    Returns:
        Why trainings have failed, by their names.

    Raises:
        TrackingError: The store does not answer.
        KeyboardInterrupt: The user ended it; what has finished stays, and the same command goes on from there.
    """
    failures: dict[str, str] = {}
    records = load_finished(store)
    missing = [attempt for attempt in attempts if attempt.obstacle is None and attempt.find_record(records) is None]
    for number, attempt in enumerate(missing, start=1):
        console.print(f"\n{attempt.name}: {attempt.epochs} epochs, training {number} of {len(missing)}", style="bold")
        code = train(attempt.overrides)
        if code:
            failures[attempt.name] = f"exit code {code}"
            console.print(f"{attempt.name} failed; going on with the next.", style="yellow")
    return failures


def find_records(attempts: Sequence[Attempt], records: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    """Returns the runs that the store has of each recipe, in the order of the seeds."""
    found: dict[str, list[RunRecord]] = {attempt.recipe: [] for attempt in attempts}
    for attempt in attempts:
        record = attempt.find_record(records)
        if record is not None:
            found[attempt.recipe].append(record)
    return found


def execute_training(overrides: Sequence[str]) -> int:
    """Runs `python -m src.train` with overrides, and returns its exit code.

    Raises:
        KeyboardInterrupt: The user ended it, and the training has closed its run.
    """
    command = [sys.executable, "-m", "src.train", *overrides]
    # Entry points set it for themselves; a training that inherited it would show tracebacks instead of messages.
    environment = {name: value for name, value in os.environ.items() if name != "HYDRA_FULL_ERROR"}
    # In a session of its own, so that Ctrl-C reaches it once, from here, as SIGTERM does.
    with subprocess.Popen(command, env=environment, start_new_session=True) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
