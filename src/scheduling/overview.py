"""What is scheduled, what came of it last, and what runs at this moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from src.claims import ClaimBook
from src.clock import local_now
from src.errors import FitgapError, ScheduleError
from src.occupancy import claims_folder
from src.scheduling.calendar import Calendar
from src.scheduling.journal import Journal
from src.scheduling.places import sweep_folder
from src.scheduling.sweep_file import ScheduledSweep, list_names, load_sweep
from src.scheduling.systemd import Systemd
from src.scheduling.timers import Timers, open_timers

#: Next times that are shown of each sweep.
_TIMES = 2


def print_list(console: Console) -> None:
    """Prints each scheduled sweep: when it starts, whether it is installed, and what came of it last."""
    timers = _find_timers()
    installed = _list_installed(timers)
    names = list_names()
    rows, problems = [], []
    for name in names:
        try:
            sweep = load_sweep(name)
        except FitgapError as error:
            problems.append(str(error))
            continue
        times = [f"{moment:%a %Y-%m-%d %H:%M}" for moment in next_times(sweep, timers, local_now())]
        state = "no" if name not in installed else "yes" if timers and timers.is_current(sweep) else "outdated"
        last = next(iter(reversed(Journal(sweep_folder(name)).read())), None)
        told = "-" if last is None else f"{_day(last.started)} {last.describe().partition(': ')[2]}"
        rows.append((name, sweep.when.text, "\n".join(times) or "-", state, told))
    if rows:
        where = timers.name if timers else "neither systemd nor cron"
        _print_table(console, ("sweep", "when", "next", f"installed ({where})", "last"), rows)
        if any(row[3] != "yes" for row in rows):
            console.print("To have them started as they are written: python -m src.schedule install")
    elif not problems:
        console.print("No file of sweeps/ has a schedule block. docs/gpu-box.md says what to write.")
    for name in sorted(set(installed) - set(names)):
        console.print(f"{name} is installed, but has no schedule any more: python -m src.schedule remove {name}")
    for problem in problems:
        console.print(problem, style="yellow", soft_wrap=True)


def print_status(console: Console) -> None:
    """Prints which sweeps have which GPUs, and which wait, in the order of their turn."""
    claims = ClaimBook(claims_folder()).read()
    if not claims:
        console.print("No scheduled sweep runs or waits, and no other has GPUs.")
        return
    rows = [
        (
            claim.sweep,
            "running" if claim.running else "waiting",
            claim.name_devices(),
            f"{datetime.fromisoformat(claim.since):%Y-%m-%d %H:%M}",
            f"{datetime.fromisoformat(claim.until):%Y-%m-%d %H:%M}" if claim.until else "-",
            str(claim.priority),
            f"{claim.pid} on {claim.host}",
            claim.root,
        )
        for claim in claims
    ]
    _print_table(console, ("sweep", "state", "has", "since", "until", "priority", "process", "checkout"), rows)


def next_times(sweep: ScheduledSweep, timers: Timers | None, after: datetime) -> list[datetime]:
    """Returns when a sweep starts next, asked of whoever will start it.

    On the nights of DST systemd and cron differ: what is to start in the hour that is left out, cron starts right after
    it, and systemd not at all.
    """
    if not isinstance(timers, Systemd):
        return sweep.when.next_times(after, _TIMES)
    calendars = [Calendar(text) for text in sweep.when.to_calendars()]
    return sorted({moment for calendar in calendars for moment in calendar.next_times(after, _TIMES)})[:_TIMES]


def _find_timers() -> Timers | None:
    try:
        return open_timers("auto")
    except ScheduleError:
        return None


def _list_installed(timers: Timers | None) -> list[str]:
    return [] if timers is None else timers.list_installed()


def _day(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M}"


def _print_table(console: Console, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)
