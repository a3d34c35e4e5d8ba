"""A compressed month: `python -m tests.month --nights 30 --seed 1`.

Thirty nights of scheduled sweeps on a checkout of their own, with a clock that is moved from night to night, and trials
of a second. Each night something goes wrong, at a moment that is drawn. Then quiet nights make up for it, and all books
are audited: the exit code is 1 if anything is found. The same seed draws the same month; `--night 7` lives through one
of its nights alone. It takes about a quarter of a minute a night.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.month.disk import enter_namespace
from tests.month.plan import Fault, plan_month


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.month", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nights", type=int, default=30, help="how many (default: 30)")
    parser.add_argument("--seed", type=int, help="of all that is drawn (default: one that is drawn and printed)")
    parser.add_argument("--night", type=int, help="the number of one of them that alone is lived through")
    parser.add_argument("--faults", nargs="+", type=Fault, default=[], metavar="FAULT", help=", ".join(Fault))
    parser.add_argument(
        "--folder",
        type=Path,
        help="an empty folder for all (default: one below /tmp, left where something is found)",
    )
    arguments = parser.parse_args()
    num_nights = len(arguments.faults) or arguments.nights
    if arguments.night is not None and not 0 <= arguments.night < num_nights:
        parser.error(f"--night must be one of 0 to {num_nights - 1}, but got {arguments.night}.")
    if arguments.folder is not None and arguments.folder.exists() and any(arguments.folder.iterdir()):
        parser.error(f"--folder must be empty, or not there yet, but {arguments.folder} is neither.")
    if arguments.seed is None:
        sys.argv += ["--seed", str(random.SystemRandom().randrange(10**6))]
        arguments = parser.parse_args()
    enter_namespace("tests.month", sys.argv[1:])

    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    # MLflow takes seconds to import: not before this process has been started again.
    from tests.month.month import live_through_month

    # What the month has started is ended with it.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    nights = plan_month(arguments.seed, num_nights, arguments.faults)
    if arguments.night is not None:
        nights = [night for night in nights if night.number == arguments.night]
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="fitgap-month-"))
    print(f"seed {arguments.seed}, {len(nights)} nights in {folder}", flush=True)
    problems = live_through_month(nights, folder, lambda line: print(line, flush=True))
    print(*(problems or ["The books are in order."]), sep="\n")
    if arguments.folder is None and not problems:
        shutil.rmtree(folder)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
