"""Claim: a command answers nearly as soon as Hydra can, and trains as soon as a script that does nothing else.

    python -m benchmarks.start

Two kinds of commands are measured from outside, each as a new process and in turn with its rival:

- what needs no training: `--help`, `--cfg job`, a mistyped override, and a mistyped override of a search, each to be
  answered within a second. The rival is an application of Hydra with a single key, given the same command line;
- `python -m src.train` on the embedded digits until its first step has been taken: with a tracking store, and in a new
  place, where it makes one. To be under 6 seconds. The rivals are a Keras script that trains on the same digits and
  tracks nothing, and `import tensorflow` alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.measurement import describe_machine, interleave, print_table, ratio
from benchmarks.searches import RIVALS, run_command, run_python

APPLICATION = "benchmarks.apps.stopwatch"
SMALLEST_APP, FIRST_STEP = RIVALS / "start" / "smallest_app.py", RIVALS / "start" / "first_step.py"

#: Command lines that need no training, and their exit codes.
ANSWERED: dict[str, tuple[list[str], int]] = {
    "--help": (["--help"], 0),
    "--cfg job": (["--cfg", "job"], 0),
    "mistyped override": (["model.drpout=0.1"], 2),
    "the same in a search": (["-m", "model.drpout=interval(0,0.5)", "hydra.sweeper.n_trials=2"], 2),
}
#: What the smallest application is asked in place of a search, which it has no sweeper for, and its code for an error.
RIVAL_ARGUMENTS, RIVAL_ERROR = {"the same in a search": ["model.drpout=0.1"]}, 1

STORED, NEW, KERAS, TENSORFLOW = "with a store", "in a new place", "Keras script", "import tensorflow"


def main() -> None:
    """Measures all commands and prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each command is measured")
    rounds = parser.parse_args().rounds
    print(describe_machine(["hydra-core", "tensorflow", "keras", "mlflow"]))
    print(f"{rounds} rounds\n")
    print_table(compare_answers(rounds))
    print()
    with tempfile.TemporaryDirectory() as temporary:
        print_table(compare_first_steps(rounds, Path(temporary)))


def compare_answers(rounds: int) -> list[Sequence[str]]:
    """Returns the rows for commands that need no training."""
    candidates: dict[str, Callable[[], float]] = {}
    for name, (arguments, code) in ANSWERED.items():
        candidates[name] = partial(time_answer, ["-m", "src.train", *arguments], code)
        asked = [str(SMALLEST_APP), *RIVAL_ARGUMENTS.get(name, arguments)]
        candidates[f"{name}, rival"] = partial(time_answer, asked, RIVAL_ERROR if code else 0)
    figures = interleave(candidates, rounds)
    rows: list[Sequence[str]] = [("python -m src.train …", "seconds", "of the smallest application", "times as long")]
    for name in ANSWERED:
        ours, rival = figures[name], figures[f"{name}, rival"]
        seconds = [f"{statistics.median(values):.2f}" for values in (ours, rival)]
        rows.append((name, *seconds, str(ratio(ours, rival))))
    return rows


def compare_first_steps(rounds: int, folder: Path) -> list[Sequence[str]]:
    """Returns the rows for the time until the first step has been taken."""
    time_first_step(folder / "stored")
    places = (folder / f"new-{number}" for number in range(rounds))
    candidates: dict[str, Callable[[], float]] = {
        STORED: partial(time_first_step, folder / "stored"),
        NEW: lambda: time_first_step(next(places)),
        KERAS: time_keras,
        TENSORFLOW: partial(time_answer, ["-c", "import os, tensorflow; os._exit(0)"], 0),
    }
    figures = interleave(candidates, rounds)
    rows: list[Sequence[str]] = [("until the first step", "seconds", f"times the {KERAS}", f"times {TENSORFLOW}")]
    for name, values in figures.items():
        ratios = [str(ratio(values, figures[rival])) for rival in (KERAS, TENSORFLOW)]
        rows.append((name, f"{statistics.median(values):.2f}", *ratios))
    return rows


def time_answer(arguments: Sequence[str], code: int) -> float:
    """Returns the seconds from the start of Python to its end.

    Raises:
        RuntimeError: It ended with another exit code.
    """
    started = time.time()
    answer = _run_python(arguments)
    seconds = time.time() - started
    if answer.returncode != code:
        raise RuntimeError(f"{arguments} ended with exit code {answer.returncode}:\n{answer.stdout[-4000:]}")
    return seconds


def time_first_step(folder: Path) -> float:
    """Returns the seconds from the start of `src.train`'s command until its first step has been taken."""
    moments = folder / "moments.jsonl"
    moments.unlink(missing_ok=True)
    started = time.time()
    run_command(APPLICATION, ["dataset=digits", "trainer.epochs=1"], folder, {"FITGAP_MOMENTS": str(moments)})
    training = json.loads(moments.read_text(encoding="utf-8"))
    return float(training["first_step"] + training["traced"] - started)


def time_keras() -> float:
    """Returns the same of the Keras script."""
    started = time.time()
    answer = _run_python([str(FIRST_STEP)])
    if answer.returncode:
        raise RuntimeError(f"The Keras script failed:\n{answer.stdout[-4000:]}")
    return float(answer.stdout.splitlines()[-1]) - started


def _run_python(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    # Without the lines that TensorFlow logs, among which a script's own would have to be looked for.
    return run_python(arguments, {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})


if __name__ == "__main__":
    main()
