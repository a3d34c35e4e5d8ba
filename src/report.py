"""Build the comparison of a finished or running sweep again, from the tracking store alone.

python -m src.report                      the newest sweep of all
python -m src.report PARENT_RUN_ID        a particular one
"""

from __future__ import annotations

import argparse
from pathlib import Path

from src.entry import run_program


def main() -> None:
    """Builds the report, prints it and says where it is."""
    parser = argparse.ArgumentParser(prog="python -m src.report", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parent_run_id", nargs="?", help="the sweep's parent run; the newest sweep if left out")
    parser.add_argument("--uri", help="tracking URI; MLflow's default place in the project's root if left out")
    parser.add_argument("--output", type=Path, help="folder for the files; beside the runs' own if left out")
    arguments = parser.parse_args()

    from src.comparison.report import rebuild_report
    from src.console import open_console

    rebuild_report(arguments.parent_run_id, uri=arguments.uri, output=arguments.output, console=open_console())


if __name__ == "__main__":
    run_program(main)
