"""See what takes how much of the disk, and keep a budget for models and caches.

python -m src.disk show                       what takes how much, and what must stay
python -m src.disk clean --max-gb 50          deletes caches, then models that are no winners, until the rest fits
python -m src.disk clean --max-gb 50 --print  says what it would delete
"""

from __future__ import annotations

import argparse
from pathlib import Path

from src.entry import run_command


def main() -> None:
    """Parses the command, does it, and prints what came of it."""
    parser = argparse.ArgumentParser(prog="python -m src.disk", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    show = commands.add_parser("show", help="what takes how much")
    clean = commands.add_parser("clean", help="keep a budget")
    clean.add_argument(
        "--max-gb", type=float, required=True, help="for caches, checkpoints and models together, in 10^9 bytes"
    )
    clean.add_argument("--print", dest="dry_run", action="store_true", help="say what would be deleted")
    for command in (show, clean):
        command.add_argument("--uri", help="tracking URI; MLflow's default place in the project's root if left out")
        command.add_argument("--storage", metavar="URL", help="Optuna's storage; mlruns/optuna.db if left out")
        command.add_argument("--cache", type=Path, metavar="FOLDER", help="cache folder, if it is another one")
    arguments = parser.parse_args()

    from src.console import open_console
    from src.housekeeping.commands import execute

    execute(arguments, open_console())


if __name__ == "__main__":
    run_command(main)
