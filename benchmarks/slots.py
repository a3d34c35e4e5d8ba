"""Claim: trials of unequal length keep 2 slots at least 95 % busy, where batches leave a third of the time unused.

    python -m benchmarks.slots

The trials sleep for 1 to 8 seconds, in an order drawn once, so that the machine's cores do not matter; on average they
last as long as those of `sweeps/quick.yaml`, the shortest that anybody would search with. Two ways run them through
Hydra, both in 2 worker processes that live as long as the search:

- fitgap's sweeper and launcher with their MLflow runs and a study in SQLite, each slot taking the next trial at once,
- the official Optuna sweeper's loop with Hydra's joblib launcher, which waits for a batch of 2 before it asks for the
  next one. The plugin itself cannot be installed beside Optuna 5; `benchmarks/rivals` has its loop.

Busy is the time that the trials themselves have worked, by their own clocks, of twice the time from the first one's
start to the last one's end: the start of the processes does not count, the wait for the last trial does. Lost is what
a slot has not worked, for each trial. The last column is what a scheduler without any overhead would come to with the
same order, by calculation.
"""

from __future__ import annotations

import argparse
import heapq
import random
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measurement import describe_machine, interleave, print_table, ratio
from benchmarks.searches import read_spans, run_command, store_option

SLOTS, LONGEST = 2, 8


def main() -> None:
    """Measures both in turns and prints how busy the slots were."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=24, help="number of trials")
    parser.add_argument("--rounds", type=int, default=2, help="how often both are measured")
    parser.add_argument("--unit", type=float, default=1.0, help="seconds of a unit")
    options = parser.parse_args()
    lengths = draw_lengths(options.trials)
    with tempfile.TemporaryDirectory() as folder:
        candidates = {
            "fitgap": lambda: measure_slots(lengths, options.unit, Path(tempfile.mkdtemp(dir=folder))),
            "batches, joblib": lambda: measure_batches(lengths, options.unit, Path(tempfile.mkdtemp(dir=folder))),
        }
        figures = interleave(candidates, options.rounds)
    bounds = {"fitgap": bound_slots(lengths), "batches, joblib": bound_batches(lengths)}
    ours, rival = figures.values()
    print(describe_machine(["optuna", "mlflow", "hydra-core", "hydra-joblib-launcher"]))
    print(f"{options.rounds} rounds of {len(lengths)} trials of 1 to {LONGEST} units of {options.unit:g} s\n")
    rows = [("2 slots", "busy", "at least", "seconds lost per trial", "without overhead")]
    for name, busy in figures.items():
        middle = statistics.median(busy)
        lost = options.unit * statistics.fmean(lengths) * (1 / middle - 1)
        rows.append((name, f"{middle:.1%}", f"{min(busy):.1%}", f"{lost:.2f}", f"{bounds[name]:.1%}"))
    print_table(rows)
    print(f"\nfitgap is busy {ratio(ours, rival)} times as much")


def draw_lengths(count: int) -> list[int]:
    """Returns each length equally often, in an order that is the same each time."""
    lengths = [1 + number % LONGEST for number in range(count)]
    random.Random(0).shuffle(lengths)
    return lengths


def measure_slots(lengths: Sequence[int], unit: float, folder: Path) -> float:
    """Returns how busy fitgap keeps the slots."""
    arguments = [
        f"index=range(0,{len(lengths)})",
        "hydra.sweeper.sampler=grid",
        "hydra.sweeper.objective=seconds",
        f"hydra.sweeper.n_trials={len(lengths)}",
        f"hydra.sweeper.n_jobs={SLOTS}",
        store_option(folder),
    ]
    return _measure(arguments, lengths, unit, folder)


def measure_batches(lengths: Sequence[int], unit: float, folder: Path) -> float:
    """Returns how busy batches keep the slots."""
    arguments = [
        "hydra/sweeper=batches",
        "hydra/launcher=joblib",
        f"hydra.launcher.n_jobs={SLOTS}",
        f"hydra.sweeper.n_jobs={SLOTS}",
        f"hydra.sweeper.values={list(range(len(lengths)))}",
    ]
    return _measure(arguments, lengths, unit, folder)


def _measure(arguments: Sequence[str], lengths: Sequence[int], unit: float, folder: Path) -> float:
    times = folder / "times.jsonl"
    own = ["-m", f"lengths={list(lengths)}", f"unit_seconds={unit}", f"times={times}"]
    run_command("benchmarks.apps.sleeper", [*own, *arguments], folder)
    spans = read_spans(times)
    if len(spans) != len(lengths):
        raise RuntimeError(f"{len(lengths)} trials were to be run, but {len(spans)} were.")
    whole = max(span.ended for span in spans) - spans[0].started
    return sum(span.seconds for span in spans) / (SLOTS * whole)


def bound_slots(lengths: Sequence[int]) -> float:
    """Returns how busy slots are that take the next trial in no time."""
    ends = [0] * SLOTS
    for length in lengths:
        heapq.heapreplace(ends, ends[0] + length)
    return sum(lengths) / (SLOTS * max(ends))


def bound_batches(lengths: Sequence[int]) -> float:
    """Returns how busy slots are that wait for each other, in no time."""
    batches = [lengths[start : start + SLOTS] for start in range(0, len(lengths), SLOTS)]
    return sum(lengths) / (SLOTS * sum(max(batch) for batch in batches))


if __name__ == "__main__":
    main()
