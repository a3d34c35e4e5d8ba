"""What a job is told of the trial that it is, as a file: nothing else passes through every launcher."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.errors import StudyError
from src.whole_file import write_whole

#: Environment variable of a job that holds the path of its ticket.
TICKET_VARIABLE = "FITGAP_TRIAL"


#: Name of the file in a job's folder that holds it.
TICKET = "trial.json"

#: How files are called that keep the state of a job's training.
CHECKPOINTS = "checkpoint-*.npz"


def name_checkpoint(storage: str, study_name: str) -> str:
    """Returns the name of the file in a job's folder that keeps the state of its training.

    Two searches can have one folder, `hydra.sweep.dir`, and equal trials in it.
    """
    study = hashlib.sha256(f"{storage}\n{study_name}".encode()).hexdigest()
    return CHECKPOINTS.replace("*", study[:12])


@dataclass(frozen=True)
class Ticket:
    """What a job is told of its trial.

    Attributes:
        storage: URL of Optuna's storage; it may hold a password, so that only its owner may read a ticket.
        study_name: The study.
        trial_id: Optuna's id of the trial in the storage; None for a training that repeats a trial which is over, of
            which the study hears nothing.
        number: Number of the trial in the study.
        objectives: Metrics to optimize, by name.
        pruner: Name of the pruner, which Optuna does not keep with the study.
        pruner_kwargs: The pruner's arguments.
        reports: Whether what the job reports counts.
        timeout_seconds: Longest time that the job may take; None is no limit.
        outcome: Path to which the job writes its `Outcome`.
        heartbeat_seconds: Time between two signs of life.
        checkpoint: Path of the training's checkpoint, which an earlier attempt may have left; None for none.
    """

    storage: str
    study_name: str
    trial_id: int | None
    number: int
    objectives: tuple[str, ...]
    pruner: str
    pruner_kwargs: dict[str, Any]
    reports: bool
    timeout_seconds: float | None
    outcome: str
    heartbeat_seconds: int
    checkpoint: str | None = None

    def write(self, path: Path) -> None:
        """Writes it as JSON into a file that its owner alone can read.

        Raises:
            OSError: The file cannot be written.
        """
        write_whole(path, json.dumps(dataclasses.asdict(self)).encode(), private=True)

    @classmethod
    def read(cls, path: Path) -> Ticket:
        """Reads what `write` has written.

        Raises:
            StudyError: There is no such file, or it is no ticket of this version.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{**data, "objectives": tuple(data["objectives"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StudyError(
                f"The job cannot learn which trial it is: {path}, named by {TICKET_VARIABLE}, cannot be read "
                f"({type(error).__name__}: {error}). The machines on which trials run need the folder of the sweep, "
                "hydra.sweep.dir."
            ) from error
