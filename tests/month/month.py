"""A month from its first night to its audit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from src.scheduling.shift import COMPLETE
from tests.month import audit
from tests.month.books import read_runs, read_studies
from tests.month.machine import DISK_GB, Machine
from tests.month.night import live_through
from tests.month.plan import AWAY, HOME, Night, plan_quiet

#: Nights in which nothing goes wrong any more, after which all must be made up for.
_LAST_NIGHTS = 2


def live_through_month(nights: Sequence[Night], folder: Path, say: Callable[[str], None]) -> list[str]:
    """Lives through nights, then through some in which nothing goes wrong, and returns what the audit finds.

    Args:
        nights: The nights.
        folder: An empty folder; where something is found, what the machine's disk holds is left in it.
        say: Is told what happens.
    """
    machine = Machine(folder)
    if not machine.disk.own:
        say("This machine allows no disk that could be filled.")
    problems: list[str] = ["It was not lived through."]
    kept: set[Path] = set()
    try:
        for night in nights:
            problems += _live_through(machine, night, folder, say)
            problems += audit.find_lost_files(kept)
            kept |= _list_artifacts(machine, folder)
        problems += _make_up(machine, nights, folder, say)
        problems += audit.find_lost_files(kept)
        problems += _audit(machine, folder)
        # All of it was.
        del problems[0]
    finally:
        machine.close()
        if problems and machine.disk.own:
            shutil.copytree(machine.disk.folder, folder / "left", symlinks=True, dirs_exist_ok=True)
        machine.disk.close()
    return problems


def _live_through(machine: Machine, night: Night, folder: Path, say: Callable[[str], None]) -> list[str]:
    say(night.describe())
    told = live_through(machine, night, folder)
    for line in told.remarks:
        say(f"    {line}")
    for line in told.problems:
        say(f"    !! {line}")
    return [f"Night {night.number}: {problem}" for problem in told.problems]


def _make_up(machine: Machine, nights: Sequence[Night], folder: Path, say: Callable[[str], None]) -> list[str]:
    """Lives through nights in which nothing goes wrong, until all that was begun is done."""
    problems: list[str] = []
    last = nights[-1].rounds[-1][-1].moment.date()
    sweeps = sorted({start.sweep for night in nights for starts in night.rounds for start in starts})
    for number in range(_LAST_NIGHTS):
        for sweep in sweeps:
            night = plan_quiet(nights[-1].number + 1 + number, sweep, last + timedelta(days=1 + number))
            problems += _live_through(machine, night, folder, say)
        if all(machine.shifts(sweep)[-1].state == COMPLETE for sweep in sweeps):
            break
    else:
        problems.append("What was begun was not made up for.")
    say("delivering what is pending")
    if machine.run(folder / "deliver.log", "src.deliver").wait() != 0:
        problems.append(f"Something is left to deliver; {folder / 'deliver.log'} says what.")
    return problems


def _audit(machine: Machine, folder: Path) -> list[str]:
    mlruns = machine.root / "mlruns"
    used = [name for name in (HOME, AWAY) if machine.shifts(name)]
    studies = read_studies(f"sqlite:///{mlruns / 'optuna.db'}")
    runs = read_runs(f"sqlite:///{machine.root / 'mlflow.db'}") if HOME in used else []
    runs += read_runs(machine.server.uri) if AWAY in used else []
    databases = [mlruns / "optuna.db", machine.root / "mlflow.db", folder / "server" / "server.db"]
    problems = [f"Process {process.pid} is left." for process in machine.processes()]
    problems += audit.find_running(studies, runs)
    problems += audit.find_unmatched(studies, runs)
    problems += audit.find_unplanned([shift for name in used for shift in machine.shifts(name)], studies)
    for name in used:
        problems += audit.find_open_shifts(mlruns / "schedule" / name / "shifts.jsonl")
    problems += audit.find_lost_artifacts(runs)
    problems += audit.find_missing_winners(studies, runs)
    problems += audit.find_held(machine.disk.folder, machine.claims)
    problems += audit.find_undelivered(mlruns / "outbox")
    kept = [machine.disk.folder / "cache", *mlruns.glob("*/models"), *machine.outputs.rglob("checkpoint*")]
    problems += audit.find_over_budget(kept, DISK_GB)
    return problems + audit.find_damaged([path for path in databases if path.exists()])


def _list_artifacts(machine: Machine, folder: Path) -> set[Path]:
    """Returns the artifacts that stores have; models are not meant to last."""
    paths = [*(machine.root / "mlruns").glob("experiment-*/*/artifacts/**/*")]
    paths += (folder / "server" / "artifacts").glob("*/*/artifacts/**/*")
    return {path for path in paths if path.is_file() and "models" not in path.relative_to(folder).parts}
