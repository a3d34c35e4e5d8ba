"""Claim: the last hundred of 1,000 trials cost at most twice as much each as the first hundred.

    python -m benchmarks.trials

A foreign Hydra application whose objective takes no time is searched by random sampling through the whole sweeper: a
study in SQLite, a worker process that is reused, a folder and an MLflow run for each trial. What a trial costs is the
time from one trial's start to the next one's, by their own clocks; the first ten, in which everything is warmed up, are
not counted. There is no rival: the search is compared with itself.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
from pathlib import Path

from benchmarks.measurement import describe_machine, print_table
from benchmarks.searches import read_spans, run_command, store_option

WARM_UP, PART = 10, 100


def main() -> None:
    """Runs the search and prints what trials cost at its start, in between and at its end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000, help="number of trials")
    parser.add_argument("--slots", type=int, default=1, help="trials at a time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        starts = run_trials(options.trials, options.slots, Path(folder))
    costs = [later - earlier for earlier, later in itertools.pairwise(starts)][WARM_UP:]
    part = min(PART, len(costs) // 2)
    first, last = statistics.fmean(costs[:part]), statistics.fmean(costs[-part:])
    print(describe_machine(["optuna", "mlflow", "hydra-core"]))
    print(f"{options.trials} trials on {options.slots} slot{'s' if options.slots > 1 else ''}\n")
    rows = [("trials", "milliseconds each", "median", "times the first")]
    for start in range(0, len(costs) - part + 1, part):
        rows.append(_describe(costs, start, part, first))
    print_table(rows)
    print(f"\nthe last {part} cost {last / first:.2f} times the first {part}")


def run_trials(count: int, slots: int, folder: Path) -> list[float]:
    """Returns when each trial started."""
    times = folder / "times.jsonl"
    arguments = [
        "-m",
        "x=interval(-5,5)",
        f"times={times}",
        "hydra.launcher.reuse=true",
        "hydra.sweeper.sampler=random",
        "hydra.sweeper.pruner=none",
        "hydra.sweeper.objective=value",
        "hydra.sweeper.direction=minimize",
        f"hydra.sweeper.n_trials={count}",
        f"hydra.sweeper.n_jobs={slots}",
        store_option(folder),
    ]
    run_command("benchmarks.apps.sleeper", arguments, folder)
    return [span.started for span in read_spans(times)]


def _describe(costs: list[float], start: int, part: int, first: float) -> tuple[str, str, str, str]:
    chosen = costs[start : start + part]
    mean = statistics.fmean(chosen)
    name = f"{WARM_UP + start + 1} to {WARM_UP + start + part}"
    return name, f"{1000 * mean:.0f}", f"{1000 * statistics.median(chosen):.0f}", f"{mean / first:.2f}"


if __name__ == "__main__":
    main()
