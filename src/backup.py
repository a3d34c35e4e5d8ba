"""Back up the stores and all that belongs to them while they are in use, and put it back.

python -m src.backup FOLDER               makes a backup, or brings one up to date
python -m src.backup FOLDER --restore     puts it back; never over a store that is in use
"""

from __future__ import annotations

import argparse
from pathlib import Path

from src.entry import run_command


def main() -> None:
    """Makes a backup or puts one back, and prints what was done."""
    parser = argparse.ArgumentParser(prog="python -m src.backup", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the backup lies, best on another disk")
    parser.add_argument("--restore", action="store_true", help="put it back")
    parser.add_argument("--uri", help="tracking URI; MLflow's default place in the project's root if left out")
    parser.add_argument("--storage", metavar="URL", help="Optuna's storage; mlruns/optuna.db if left out")
    arguments = parser.parse_args()

    from src.safekeeping.places import find_places

    places = find_places(arguments.uri, arguments.storage)
    if arguments.restore:
        from src.safekeeping.restoring import restore_backup

        print(restore_backup(places, arguments.folder).describe())
    else:
        from src.safekeeping.backup import make_backup

        print(make_backup(places, arguments.folder).describe())


if __name__ == "__main__":
    run_command(main)
