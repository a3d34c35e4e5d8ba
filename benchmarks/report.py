"""Claim: the report of a sweep with 300 runs is built in under 10 seconds, from the tracking store alone.

    python -m benchmarks.report

A grid of 25 dropouts, 4 strengths of augmentation and 3 seeds is made up, 30 epochs each, and recorded in a store of
its own through the program's own tracking, as trainings record themselves. Then `build_report` is timed, as every
sweep and `python -m src.report` call it: reading the store, evidence, tables, pictures and the page. The rival is what
people do otherwise: reading the same histories through MLflow's client, run by run and metric by metric.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.measurement import describe_machine, interleave, print_table, ratio
from src.analysis.overfitting import compute_summary
from src.comparison.report import build_report
from src.comparison.subject import Subject
from src.config.tracking import TrackingConfig
from src.history import EPOCH_METRICS, EpochMetrics, History
from src.tracking.records import load_children
from src.tracking.run import start_run
from src.tracking.store import Store, connect, open_store

EPOCHS, ROUNDS = 30, 3
OURS, RIVAL = "fitgap, the whole report", "MLflow's client, histories alone"


def main() -> None:
    """Records the sweep, measures both in turns, and says where the report lies if it is to be kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="folder in which the report stays, to be looked at")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        store = open_store(TrackingConfig(uri=f"sqlite:///{folder / 'mlflow.db'}", experiment="benchmark"), folder)
        parent_run_id = record_sweep(store)
        subject = Subject(
            "grid of 300", "Which dropout and strength?", axes=["model.dropout", "augmentation.strength", "seed"]
        )
        output = options.keep or folder / "report"
        candidates: dict[str, Callable[[], float]] = {
            OURS: lambda: measure(lambda: build_report(store, parent_run_id, output, subject)),
            RIVAL: lambda: measure(lambda: read_plainly(store, parent_run_id)),
        }
        figures = interleave(candidates, ROUNDS)
    print(describe_machine(["mlflow", "matplotlib"]))
    print(f"{ROUNDS} rounds, 300 runs of {EPOCHS} epochs\n")
    rows = [("300 runs", "seconds", "times the rival")]
    rows += [(name, f"{statistics.median(s):.1f}", str(ratio(s, figures[RIVAL]))) for name, s in figures.items()]
    print_table(rows)


def measure(work: Callable[[], object]) -> float:
    """Returns how many seconds something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def read_plainly(store: Store, parent_run_id: str) -> None:
    """Reads every metric of every epoch, as a notebook does."""
    client = connect(store.uri)
    for record in load_children(store, parent_run_id, histories=False):
        for key in EPOCH_METRICS:
            client.get_metric_history(record.run_id, key)


def record_sweep(store: Store) -> str:
    """Records a parent run and 300 children, and returns the parent's id."""
    generator = np.random.default_rng(0)
    parent = start_run(store, name="grid of 300", tags={"fitgap.kind": "sweep", "fitgap.state": "complete"})
    cells = itertools.product(np.linspace(0, 0.72, 25).round(2), (0, 0.5, 1, 1.5), range(3))
    for number, (dropout, strength, seed) in enumerate(cells):
        arm = f"dropout={dropout:g}, strength={strength:g}, seed={seed}"
        tags = {
            "fitgap.kind": "trial",
            "fitgap.state": "complete",
            "fitgap.arm": arm,
            "fitgap.trial_number": str(number),
        }
        run = start_run(store, name=arm, tags=tags, parent_run_id=parent.run_id)
        history = make_history(float(dropout), float(strength), generator)
        run.log_params({"model.dropout": f"{dropout:g}", "augmentation.strength": f"{strength:g}", "seed": seed})
        for epoch in history.epochs:
            run.log_metrics(epoch.metrics(), step=epoch.epoch)
        run.log_metrics(compute_summary(history))
        run.finish()
    parent.finish()
    return parent.run_id


def make_history(dropout: float, strength: float, generator: np.random.Generator) -> History:
    """Makes up a training that overfits less with dropout and augmentation, and learns less with too much of them."""
    overfits, learns = (
        max(0.0, 0.3 - 0.3 * dropout - 0.1 * strength),
        0.9 - 0.2 * max(0.0, dropout + 0.3 * strength - 0.5),
    )
    epochs = []
    for epoch in range(1, EPOCHS + 1):
        noise = generator.normal(0, 0.01, 2)
        train = 0.5 + (learns - 0.5 + overfits / 3) * (1 - 0.8**epoch) + noise[0]
        val = 0.5 + (learns - 0.5 - overfits / 2) * (1 - 0.8**epoch) + noise[1]
        losses = 1.2 - train, 1.2 - val + overfits * epoch / EPOCHS
        epochs.append(EpochMetrics(epoch, train, losses[0], train, losses[0], val, losses[1], 1e-3, 1.0))
    return History(tuple(epochs))


if __name__ == "__main__":
    main()
