"""Run sweeps by themselves: those files of `sweeps/` that have a `schedule` block.

python -m src.schedule install [NAME …]     writes timers; --print shows them instead
python -m src.schedule list                 when each starts, and what came of it last
python -m src.schedule run NAME             does now what the timer would do
python -m src.schedule status               what runs, and who waits for what
python -m src.schedule doctor               says what has to be mended on this machine
python -m src.schedule remove [NAME …]      leaves nothing behind
"""

from __future__ import annotations

import argparse

from src.entry import run_command


def main() -> None:
    """Parses the command, does it, and prints what came of it.

    Raises:
        ScheduleError: Something is in trouble; what can be said of it has been printed.
    """
    parser = argparse.ArgumentParser(prog="python -m src.schedule", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command, text in (("install", "write timers"), ("remove", "remove timers")):
        timers = commands.add_parser(command, help=text)
        timers.add_argument("names", nargs="*", metavar="NAME", help="a file of sweeps/; all that have a schedule")
        timers.add_argument("--timers", choices=("auto", "systemd", "cron"), default="auto", help="whose timers")
        timers.add_argument("--print", dest="dry_run", action="store_true", help="show it, and change nothing")
    run = commands.add_parser("run", help="do now what the timer would do")
    run.add_argument("name", metavar="NAME", help="a file of sweeps/, without its ending")
    run.add_argument("overrides", nargs="*", metavar="key=value", help="what is changed this once")
    run.add_argument("--by-timer", action="store_true", help="do nothing where the time is over already")
    for command, text in (
        ("list", "scheduled sweeps"),
        ("status", "what runs and waits now"),
        ("doctor", "what to mend"),
    ):
        commands.add_parser(command, help=text)
    arguments = parser.parse_args()

    from src.console import open_console
    from src.scheduling.commands import execute

    execute(arguments, open_console())


if __name__ == "__main__":
    run_command(main)
