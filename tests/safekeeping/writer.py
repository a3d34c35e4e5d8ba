"""A process that writes to both databases until it is told to stop: python writer.py FOLDER RUN_ID STUDY."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

import optuna
from mlflow.tracking import MlflowClient


def write(folder: Path, run_id: str, study_name: str) -> None:
    """Writes a metric and a trial after the other, each with its number; a file says how many there are."""
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(study_name=study_name, storage=f"sqlite:///{folder / 'mlruns' / 'optuna.db'}")
    for number in count():
        client.log_metric(run_id, "number", number, step=number)
        study.tell(study.ask(), number)
        draft = folder / "written.new"
        draft.write_text(str(number + 1))
        draft.replace(folder / "written")
        if (folder / "stop").exists():
            return


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
