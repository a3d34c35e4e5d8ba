"""Claim: from the end of one training to the first step of the next a slot takes a small part of a new command's time.

    python -m benchmarks.turnaround

A small network is trained on the embedded digits, one trial after the other on one slot, in three ways that take turns:

- a search whose worker process takes one trial after the other (`hydra.launcher.reuse=true`), to be under .3 seconds,
- a search with a fresh process for each trial (`reuse=false`), the next of which has imported TensorFlow while the one
  before it trained, to be under 1.5 seconds,
- the rival: `python -m src.train` for each trial, as a shell script would do it.

The time is that between the return of one training's last epoch and the beginning of the next training's first step, by
the clock within the trainings. It holds all that is recorded, drawn, saved, told and asked in between, the process's
end and start where there is one, and the opening of the data. Taken off is what belongs to the model itself, measured
within the same training: building and compiling the network. Its trace falls into the first step, and so is not in it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measurement import describe_machine, print_table
from benchmarks.searches import run_command, store_option

APPLICATION = "benchmarks.apps.stopwatch"
REUSED, FRESH, COMMAND = "worker process, reused", "fresh process, warm spare", "python -m src.train each"


def main() -> None:
    """Measures the three in turns and prints the time from trial to trial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=6, help="trainings of each kind in a round")
    parser.add_argument("--rounds", type=int, default=2, help="how often each kind is measured")
    parser.add_argument("--epochs", type=int, default=12, help="epochs of each; a spare process needs time to get warm")
    options = parser.parse_args()
    training = ["dataset=digits", "model=cnn", f"trainer.epochs={options.epochs}"]
    times: dict[str, list[float]] = {REUSED: [], FRESH: [], COMMAND: []}
    with tempfile.TemporaryDirectory() as temporary:
        for number in range(options.rounds):
            folder = Path(temporary) / str(number)
            times[REUSED] += measure_search(training, options.trials, folder / "reused", reuse=True)
            times[FRESH] += measure_search(training, options.trials, folder / "fresh", reuse=False)
            times[COMMAND] += measure_commands(training, options.trials, folder / "commands")
    print(describe_machine(["tensorflow", "mlflow", "optuna"]))
    print(f"{options.rounds} rounds of {options.trials} trainings of {options.epochs} epochs\n")
    rival = statistics.median(times[COMMAND])
    rows = [("one slot", "seconds from training to training", "extremes", "times the command")]
    for name, values in times.items():
        median = statistics.median(values)
        rows.append((name, f"{median:.2f}", f"{min(values):.2f} to {max(values):.2f}", f"{median / rival:.3f}"))
    print_table(rows)


def measure_search(training: Sequence[str], trials: int, folder: Path, *, reuse: bool) -> list[float]:
    """Returns the times from trial to trial of a search."""
    search = [
        "optimizer.learning_rate=tag(log,interval(1e-4,1e-2))",
        "hydra/launcher=fitgap",
        f"hydra.launcher.reuse={str(reuse).lower()}",
        "hydra.sweeper.sampler=random",
        "hydra.sweeper.pruner=none",
        "hydra.sweeper.n_jobs=1",
        f"hydra.sweeper.n_trials={trials}",
        store_option(folder),
    ]
    run_command(APPLICATION, ["-m", *training, *search], folder, {"FITGAP_MOMENTS": str(folder / "moments.jsonl")})
    return read_turnarounds(folder / "moments.jsonl", trials)


def measure_commands(training: Sequence[str], trials: int, folder: Path) -> list[float]:
    """Returns the times from training to training of commands that follow each other."""
    for number in range(trials):
        rate = [f"optimizer.learning_rate={10 ** (-4 + 2 * number / trials):.2g}"]
        run_command(APPLICATION, [*training, *rate], folder, {"FITGAP_MOMENTS": str(folder / "moments.jsonl")})
    return read_turnarounds(folder / "moments.jsonl", trials)


def read_turnarounds(path: Path, trials: int) -> list[float]:
    """Returns the times between trainings, without what the later one has spent on its model."""
    lines = path.read_text(encoding="utf-8").splitlines()
    moments = sorted((json.loads(line) for line in lines), key=lambda training: training["begun"])
    if len(moments) != trials:
        raise RuntimeError(f"{trials} trainings were to be measured, but {len(moments)} were.")
    return [
        later["first_step"] - earlier["returned"] - later["built"] for earlier, later in itertools.pairwise(moments)
    ]


if __name__ == "__main__":
    main()
