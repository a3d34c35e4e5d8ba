"""Trainings as the jobs of trials: in this process, in a real study and a real store."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from rich.console import Console

from src.config.run import RunConfig
from src.experiment import RunResult, execute_run
from src.pruning import TrialObserver
from src.study.address import sqlite_url
from src.study.outcome import Outcome
from src.study.reporting import current_trial
from src.study.task import TrialTask
from src.study.ticket import Ticket
from src.tracking.deliveries import await_deliveries
from src.training.progress import TrainingObserver


@dataclass(frozen=True)
class Ended:
    """What is left of a training: what it told its parent, its run, the run's files and models, and what it said."""

    outcome: Outcome
    run: Run
    artifacts: set[str]
    models: list[Any]
    said: str


def begin_job(study: optuna.Study, folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Ticket:
    """Makes this process the job of a new trial of a study, which the median prunes from the first epoch on."""
    trial = study._storage.create_new_trial(study._study_id)
    values = {
        "storage": sqlite_url(folder / "optuna.db"),
        "study_name": study.study_name,
        "trial_id": trial,
        "number": 3,
        "objectives": ("best_val_accuracy",),
        "pruner": "median",
        "pruner_kwargs": {"n_startup_trials": 1, "n_warmup_steps": 0},
        "reports": True,
        "timeout_seconds": None,
        "outcome": str(folder / "outcome.json"),
        "heartbeat_seconds": 10,
    }
    ticket = Ticket(**{**values, **changes})
    ticket.write(folder / "trial.json")
    monkeypatch.setenv("FITGAP_TRIAL", str(folder / "trial.json"))
    return ticket


def place_store(folder: Path) -> tuple[str, ...]:
    """Returns the overrides with which runs are recorded in a folder."""
    return (f"tracking.uri=sqlite:///{folder / 'mlflow.db'}",)


def execute_job(config: RunConfig, folder: Path, observers: Sequence[TrainingObserver] = ()) -> Ended:
    """Runs a training as the trial of this process, as `src.train` does."""
    said = io.StringIO()

    def task_function(given: RunConfig) -> RunResult:
        trial = current_trial()
        assert trial is not None
        observer = TrialObserver(trial, given)
        return execute_run(
            given,
            folder,
            name=given.tracking.run_name or "tiny",
            console=Console(file=said, width=140),
            observers=[observer, *observers],
            on_run=trial.attach_run,
            wants_model=observer.wants_model,
            checkpoint=Path(trial.ticket.checkpoint) if trial.ticket.checkpoint else None,
        )

    outcome = Outcome.from_dict(TrialTask(task_function)(config))
    # The run of a trial is delivered behind what follows in its process.
    assert await_deliveries(60)
    assert config.tracking.uri is not None
    client = MlflowClient(config.tracking.uri)
    assert outcome.run_id is not None
    artifacts = {artifact.path for artifact in client.list_artifacts(outcome.run_id)}
    run = client.get_run(outcome.run_id)
    models = list(client.search_logged_models([run.info.experiment_id]))
    return Ended(outcome, run, artifacts, models, said.getvalue())
