"""The doctor: whether scheduled sweeps will run on this machine tonight, and what to do if not."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from src.errors import FitgapError, ScheduleError
from src.scheduling.finding import GOOD, MEND, UNKNOWN, Finding
from src.scheduling.journal import Journal
from src.scheduling.machine import examine_machine
from src.scheduling.places import sweep_folder
from src.scheduling.stores import examine_stores
from src.scheduling.sweep_file import ScheduledSweep, list_names, load_sweep

_STYLES = {GOOD: "green", MEND: "red", UNKNOWN: "yellow"}


def print_examination(console: Console) -> None:
    """Examines everything and prints what is found.

    Raises:
        ScheduleError: Something has to be mended.
    """
    to_mend = 0
    for finding in examine():
        to_mend += finding.state == MEND
        console.print(f"{finding.state:8}", style=_STYLES[finding.state], end="")
        console.print(f"{finding.what}: {finding.told}", soft_wrap=True)
    if to_mend:
        raise ScheduleError(f"{'One thing has' if to_mend == 1 else f'{to_mend} things have'} to be mended.")


def examine() -> Iterator[Finding]:
    """Yields what is found, one thing after the other."""
    sweeps: list[ScheduledSweep] = []
    for name in list_names():
        try:
            sweeps.append(load_sweep(name))
        except FitgapError as error:
            yield Finding("sweep", MEND, str(error))
        else:
            yield _examine_last(name)
    yield from examine_machine(sweeps)
    yield from examine_stores(sweeps)


def _examine_last(name: str) -> Finding:
    """Returns what the last shift of a sweep says."""
    last = next(iter(reversed(Journal(sweep_folder(name)).read())), None)
    if last is None:
        return Finding("sweep", GOOD, f"{name} can be scheduled, and has not run yet")
    if last.is_trouble:
        log = f" Read {last.log}." if last.log else ""
        return Finding("sweep", MEND, f"{last.describe()}{log}")
    return Finding("sweep", GOOD, last.describe())
