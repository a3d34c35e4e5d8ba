"""The commands of `python -m src.schedule`: each calls one function."""

from __future__ import annotations

from argparse import Namespace

from rich.console import Console

from src.errors import ScheduleError
from src.scheduling.shift import INTERRUPTED


def execute(arguments: Namespace, console: Console) -> None:
    """Does what the command line asks for.

    Raises:
        ScheduleError: Something is in trouble; what can be said of it has been printed.
        KeyboardInterrupt: A signal has ended a sweep.
    """
    match arguments.command:
        case "install" | "remove":
            from src.scheduling import installation
            from src.scheduling.timers import open_timers

            change = installation.install if arguments.command == "install" else installation.remove
            change(open_timers(arguments.timers), arguments.names, dry_run=arguments.dry_run, console=console)
        case "list":
            from src.scheduling.overview import print_list

            print_list(console)
        case "status":
            from src.scheduling.overview import print_status

            print_status(console)
        case "doctor":
            from src.scheduling.doctor import print_examination

            print_examination(console)
        case "run":
            _run(arguments, console)


def _run(arguments: Namespace, console: Console) -> None:
    from src.scheduling.execution import run_shift

    shift = run_shift(arguments.name, arguments.overrides, by_timer=arguments.by_timer, console=console)
    if shift.state == INTERRUPTED:
        raise KeyboardInterrupt
    if shift.is_trouble:
        log = f" Its log is {shift.log}." if shift.log else ""
        raise ScheduleError(f"{shift.sweep} is in trouble: {shift.state}.{log}")
