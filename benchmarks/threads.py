"""Claim: two slots on one CPU search faster when they share its threads than when each has as many as there are cores.

    python -m benchmarks.threads

A search of six trials trains the default network on the embedded digits, in bfloat16 where the processor has it. Three
ways take turns, each as the command that people type:

- two slots that share the cores' threads, as fitgap lays them out by itself,
- the rival: two slots of which each has all threads, which is what TensorFlow takes where nobody divides them,
- one slot with all threads, for what the second slot brings at all.

Trials per minute are counted from the first training's begin to the last one's end: the start of the worker processes
is not in it; what each trial spends on one thread whatever there is, tracing its step and recording, is. How accurate
trials are does not matter here: their number of threads changes the last digits of what they learn.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measurement import describe_machine, interleave, print_table, ratio
from benchmarks.searches import run_command, store_option

OURS, RIVAL, ONE = "2 slots share the threads", "2 slots with all threads each", "1 slot with all threads"


def main() -> None:
    """Measures the three in turns and prints trials per minute."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=6, help="trials of a search")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of a trial")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    if cores < 2:
        print("Nothing is measured: there is one core, and no threads to share.")
        return
    layouts = {OURS: (2, "auto"), RIVAL: (2, str(cores)), ONE: (1, "auto")}
    with tempfile.TemporaryDirectory() as folder:

        def measure(slots: int, threads: str) -> float:
            place = Path(tempfile.mkdtemp(dir=folder))
            return search(options.trials, options.epochs, slots, threads, place)

        figures = interleave({name: partial(measure, *layout) for name, layout in layouts.items()}, options.rounds)
    print(describe_machine(["tensorflow", "keras", "optuna"]))
    print(f"{options.rounds} rounds of {options.trials} trials of {options.epochs} epochs\n")
    print_table(
        [
            ("digits", "trials per minute", "times the rival"),
            *(
                (name, f"{statistics.median(rates):.1f}", str(ratio(rates, figures[RIVAL])))
                for name, rates in figures.items()
            ),
        ]
    )


def search(trials: int, epochs: int, slots: int, threads: str, folder: Path) -> float:
    """Returns the trials per minute of a search."""
    moments = folder / "moments.jsonl"
    arguments = [
        "-m",
        "dataset=digits",
        "model=cnn",
        f"trainer.epochs={epochs}",
        "optimizer.learning_rate=tag(log,interval(1e-4,1e-2))",
        "hydra/launcher=fitgap",
        "hydra.launcher.gpus=0",
        f"hydra.launcher.threads={threads}",
        "hydra.sweeper.sampler=random",
        "hydra.sweeper.pruner=none",
        f"hydra.sweeper.n_jobs={slots}",
        f"hydra.sweeper.n_trials={trials}",
        store_option(folder),
    ]
    run_command("benchmarks.apps.stopwatch", arguments, folder, {"FITGAP_MOMENTS": str(moments)})
    trainings = [json.loads(line) for line in moments.read_text(encoding="utf-8").splitlines()]
    if len(trainings) != trials:
        raise RuntimeError(f"{trials} trials were to be trained, but {len(trainings)} were.")
    seconds: float = max(one["ended"] for one in trainings) - min(one["begun"] for one in trainings)
    return 60 * trials / seconds


if __name__ == "__main__":
    main()
