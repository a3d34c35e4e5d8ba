"""Claim: pruned as it is by default `sweeps/quick.yaml` takes half of the epochs or less, at a cost shown beside.

    python -m benchmarks.pruning

The search of `sweeps/quick.yaml` runs as it is and with `hydra.sweeper.pruner=none`, the rival, one after the other
with the same seed, on one slot, so that both begin with the same trials; then again with the next seed. Both have the
same number of trials. Epochs are those of all trials together, pruned ones included.

The best value of a search is the highest of many that chance has a part in. What chance alone does is measured by the
searches themselves: each trains its winner again with other seeds (`hydra.sweeper.repeat_winner`). Their standard
deviation is the noise, averaged over all searches; their mean is what the winner is worth without the luck that made it
win. Both differences, of the best values and of those means, are to be held against the noise. They are coarse: where
searches were played again from recorded curves, two in full were by chance half of the noise apart over five seeds.
"""

from __future__ import annotations

import argparse
import csv
import math
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measurement import Ratio, describe_machine, print_table, ratio
from benchmarks.searches import run_command, store_option
from src.tracking.sweeps import find_sweep

OBJECTIVE = "best_val_accuracy"
PRUNED, WHOLE = "pruned", "all epochs"


@dataclass(frozen=True)
class Result:
    """What a search came to.

    Attributes:
        best: Its best value.
        worth: Mean of the values of its winner with other seeds.
        noise: Their standard deviation.
        epochs: Epochs of all its trials.
        stopped: How many trials it has pruned.
        seconds: How long it took, the repetitions included.
    """

    best: float
    worth: float
    noise: float
    epochs: float
    stopped: int
    seconds: float


def main() -> None:
    """Runs the searches and prints what they came to, and for how much."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds both searches are run with")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them; the others follow it")
    parser.add_argument("--repeats", type=int, default=4, help="how often each winner is trained again")
    parser.add_argument("overrides", nargs="*", help="other values than those of the sweep's file")
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    results: dict[str, list[Result]] = {PRUNED: [], WHOLE: []}
    with tempfile.TemporaryDirectory() as temporary:
        for seed in seeds:
            common = [f"seed={seed}", f"hydra.sweeper.repeat_winner={options.repeats}", *options.overrides]
            folder = Path(temporary) / str(seed)
            results[PRUNED].append(run_search(common, folder / "pruned"))
            results[WHOLE].append(run_search([*common, "hydra.sweeper.pruner=none"], folder / "whole"))
    print(describe_machine(["tensorflow", "optuna"]))
    print(f"sweeps=quick with {options.seeds} seeds, each winner trained again {options.repeats} times\n")
    rows = [("sweeps=quick", "seed", "epochs", "pruned", "best value", "winner again", "seconds")]
    for name, entries in results.items():
        for seed, result in zip(seeds, entries, strict=True):
            again = f"{result.worth:.4f} ±{result.noise:.4f}"
            figures = (
                f"{result.epochs:.0f}",
                str(result.stopped),
                f"{result.best:.4f}",
                again,
                f"{result.seconds:.0f}",
            )
            rows.append((name, str(seed), *figures))
    print_table(rows)
    _print_verdict(results[PRUNED], results[WHOLE])


def run_search(overrides: Sequence[str], folder: Path) -> Result:
    """Returns what a search of the sweep's file comes to."""
    started = time.perf_counter()
    run_command("src.train", ["-m", "sweeps=quick", "hydra.sweeper.n_jobs=1", store_option(folder), *overrides], folder)
    seconds = time.perf_counter() - started
    with (folder / "jobs" / "trials.csv").open(encoding="utf-8", newline="") as file:
        trials = list(csv.DictReader(file))
    _, parent = find_sweep(None, f"sqlite:///{folder / 'mlflow.db'}")
    return Result(
        best=max(float(trial[OBJECTIVE]) for trial in trials if trial["state"] == "complete"),
        worth=parent.metrics[f"winner_{OBJECTIVE}_mean"],
        noise=parent.metrics[f"winner_{OBJECTIVE}_std"],
        epochs=sum(float(trial["epochs_run"]) for trial in trials),
        stopped=sum(trial["state"] == "pruned" for trial in trials),
        seconds=seconds,
    )


def _print_verdict(pruned: Sequence[Result], whole: Sequence[Result]) -> None:
    share: Ratio = ratio([result.epochs for result in pruned], [result.epochs for result in whole])
    noise = math.sqrt(statistics.fmean(result.noise**2 for result in (*pruned, *whole)))
    pairs = list(zip(pruned, whole, strict=True))
    best = statistics.fmean(a.best - b.best for a, b in pairs)
    worth = statistics.fmean(a.worth - b.worth for a, b in pairs)
    print(f"\nepochs with pruning: {share} times those without")
    print(f"best value: {best:+.4f}, winner with other seeds: {worth:+.4f}; noise of one training: {noise:.4f}")


if __name__ == "__main__":
    main()
