"""Claim: a search by fitgap takes a third of the time of tracked peers on augmented images, and not half on digits.

    python -m benchmarks.peers --rounds 5 --write docs/benchmarks.md

The same search is run by fitgap and by its peers: the same images and splits, the same network and augmentation, the
same grid of dropout and learning rate, epochs and seed, one trial at a time. Candidates take turns, one command after
the other, every other round in reverse order; the ratios are those of commands of one round. What each peer runs is a
script in `benchmarks/rivals/searches`, as its own documentation would write it, at its defaults:

- plain Keras: a loop around `fit`, nothing tracked: the floor; in an environment with little else, as Keras imports
  what it finds, which with pandas, scikit-learn and matplotlib takes nearly twice as long,
- Keras with `mlflow.keras.autolog()`, which logs a model for each trial; and without these models,
- Optuna's own loop over a grid with nested MLflow runs and autologging,
- Hydra's official Optuna sweeper with autologging, in an environment of its own, as it needs another Optuna,
- Keras Tuner and Ray Tune, in environments without MLflow, recording in their own ways.

fitgap is `python -m src.train -m` with a grid sampler on one slot, recording all that it records by default, which is
more: clean measurements of training images after each epoch, pictures, a report, the winner's test. It computes in
bfloat16 where the processor does, by default, and is shown in float32 too, and with two trials at a time; the peers
compute in float32, as Keras does.

Digits are NumPy arrays for the peers. Cats and dogs are folders of JPEGs: peers read them by
`image_dataset_from_directory`, cached in memory, and augment by Keras's preprocessing layers in the model; plain
Keras is shown with the old `ImageDataGenerator` too. The functions that Hydra and Ray call for a trial load the images
themselves, the others' loops have them loaded once. fitgap keeps decoded images on disk between runs.

Seconds are those of the whole command with all its processes, files being in the system's cache: a first run of
each, one trial of one epoch, is not counted: in it fitgap decodes its images and MLflow creates its database. Seconds
per later trial are those from the first trial's end to the last one's. Memory is resident memory, looked at five
times a second: of the largest process, in which the trials run, and of all processes together. Each round has a seed of
its own, the same for all trials of all candidates; the noise of accuracies is twice the standard error of the
differences between rounds of one seed. With `--profile` fitgap runs once more at the end with
a stopwatch inside.

Environments are made in `benchmarks/.environments` when first needed, from the versions pinned beside the scripts; a
peer that cannot be installed or that fails is left out, with the reason.
"""

from __future__ import annotations

import argparse
import platform
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from benchmarks.measurement import describe_processor
from benchmarks.peers.breakdown import Part, break_down, read_moments
from benchmarks.peers.candidate import (
    CANDIDATES,
    FITGAP,
    Candidate,
    build_command,
    build_environment,
    check_trials,
    choose_candidates,
    read_trials,
)
from benchmarks.peers.document import replace_section, write_section
from benchmarks.peers.environment import UnavailableError, prepare_python, read_versions
from benchmarks.peers.result import Measurement, Result
from benchmarks.peers.search import SEARCHES, Search, prepare_data
from benchmarks.peers.watching import CommandError, watch_command

#: Versions that matter for all.
PACKAGES = ("tensorflow", "keras", "numpy")


def main() -> None:
    """Measures the searches asked for, prints their sections and writes them into a page."""
    options = parse_options(sys.argv[1:])
    command = shlex.join(["python", "-m", "benchmarks.peers", *sys.argv[1:]])
    for name in options.workload:
        search = SEARCHES[name].resize(trials=options.trials, epochs=options.epochs, images=options.images)
        with tempfile.TemporaryDirectory() as temporary:
            section = measure_search(search, Path(temporary), options, command)
        if section is None:
            print(f"{name} is left out: there is no zip at what FITGAP_CATS_VS_DOGS says, nor beside the checkout.")
            continue
        print(section, flush=True)
        if options.write:
            page = options.write.read_text(encoding="utf-8") if options.write.exists() else ""
            options.write.parent.mkdir(parents=True, exist_ok=True)
            options.write.write_text(replace_section(page, options.section or name, section), encoding="utf-8")


def parse_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Returns what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    keys = [candidate.key for candidate in CANDIDATES]
    parser.add_argument("--workload", nargs="+", choices=SEARCHES, default=list(SEARCHES), help="default: all")
    parser.add_argument("--rounds", type=int, default=3, help="how often each candidate is measured")
    parser.add_argument("--only", nargs="+", choices=keys, default=[], help="candidates besides fitgap; default: all")
    parser.add_argument("--profile", action="store_true", help="also measure where fitgap's time goes")
    parser.add_argument("--write", type=Path, help="page in which the section of the same name is replaced")
    parser.add_argument("--section", help="name of the section; default: that of the workload")
    parser.add_argument("--trials", type=int, help="at most so many points, to try it out")
    parser.add_argument("--epochs", type=int, help="another number of epochs, to try it out")
    parser.add_argument("--images", type=int, help="so many training images, to try it out")
    return parser.parse_args(arguments)


def measure_search(search: Search, folder: Path, options: argparse.Namespace, command: str) -> str | None:
    """Returns the section on a search; None where its images cannot be had."""
    data = prepare_data(search, folder / "data")
    if data is None:
        return None
    results = [Result(candidate) for candidate in choose_candidates(search, options.only)]
    for result in results:
        warm_up(result, search, data, folder)
    for number in range(options.rounds):
        for result in results if number % 2 == 0 else reversed(results):
            if result.missing is None:
                take_round(result, replace(search, seed=number), data, folder)
    for result in results:
        if result.missing is not None:
            result.rounds.clear()
            if result.candidate == FITGAP:
                raise SystemExit(f"fitgap itself cannot be measured: {result.missing}")
    parts = profile_search(search, data, folder) if options.profile else []
    memory = f"{psutil.virtual_memory().total / 2**30:.0f} GB"
    machine = f"{describe_processor()}, {memory} of memory, {platform.system()}."
    title = options.section or search.name
    return write_section(search, results, parts, title=title, command=command, machine=machine)


def warm_up(result: Result, search: Search, data: Path, folder: Path) -> None:
    """Runs a candidate for the first time, one trial of one epoch; where it cannot be, notes why."""
    candidate = result.candidate
    try:
        python = prepare_python(candidate.environment)
        result.versions = read_versions(python, [*PACKAGES, *candidate.packages])
        # Caches are filled and databases made, however short it is.
        run_search(candidate, search.resize(trials=1, epochs=1, images=None), data, folder)
    except (UnavailableError, CommandError, ValueError) as error:
        give_up(result, error)


def take_round(result: Result, search: Search, data: Path, folder: Path) -> None:
    """Runs a candidate once more and adds what was measured; where it fails, notes why."""
    try:
        result.rounds.append(run_search(result.candidate, search, data, folder))
    except (CommandError, ValueError) as error:
        give_up(result, error)


def give_up(result: Result, error: Exception) -> None:
    """Leaves a candidate out; all that it said is printed, and the last line of it kept."""
    print(f"{result.candidate.title} is left out: {error}", file=sys.stderr, flush=True)
    result.missing = str(error).strip().splitlines()[-1]


def run_search(candidate: Candidate, search: Search, data: Path, folder: Path) -> Measurement:
    """Runs a candidate's search and returns what was measured.

    Raises:
        CommandError: It failed.
        ValueError: Its trials are not those that were asked for.
    """
    own = folder / candidate.key
    own.mkdir(exist_ok=True)
    run = Path(tempfile.mkdtemp(dir=own))
    command = build_command(candidate, search, prepare_python(candidate.environment), data, run)
    print(f"{search.name}: {candidate.title} …", file=sys.stderr, end=" ", flush=True)
    watched = watch_command(command, run, build_environment(candidate, own))
    print(f"{watched.seconds:.1f} s", file=sys.stderr, flush=True)
    try:
        trials = read_trials(candidate, watched.output, run)
        check_trials(search, trials)
    except ValueError as error:
        raise ValueError(f"{watched.output[-3000:]}\n{candidate.title}: {error}") from error
    return Measurement(watched.seconds, watched.largest_mb, watched.total_mb, tuple(trials))


def profile_search(search: Search, data: Path, folder: Path) -> list[Part]:
    """Runs fitgap's search with a stopwatch inside and returns where its time goes."""
    own = folder / FITGAP.key
    run = Path(tempfile.mkdtemp(dir=own))
    command = build_command(FITGAP, search, Path(sys.executable), data, run, module="benchmarks.apps.stopwatch")
    moments = run / "moments.jsonl"
    watched = watch_command(command, run, build_environment(FITGAP, own) | {"FITGAP_MOMENTS": str(moments)})
    return break_down(watched.started, watched.started + watched.seconds, read_moments(moments))


if __name__ == "__main__":
    main()
