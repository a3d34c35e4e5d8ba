"""The books of a month: what Optuna and MLflow say of all that was run, read for the audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import optuna
from mlflow.tracking import MlflowClient

from src.study.reading import TrialReader
from src.study.storage import close_storage, open_storage
from src.study.view import TrialView

#: The study's attribute that names its parent run.
_PARENT_ATTRIBUTE = "fitgap.parent_run_id"


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes:
        name: Its name.
        parent_run_id: The run that MLflow has of it; None where it has none.
        trials: Its trials.
    """

    name: str
    parent_run_id: str | None
    trials: tuple[TrialView, ...]


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        run_id: Its id.
        status: MLflow's.
        tags: Its tags.
        uri: The store that has it.
        experiment_id: Its experiment there.
    """

    run_id: str
    status: str
    tags: dict[str, str]
    uri: str
    experiment_id: str

    @property
    def state(self) -> str | None:
        """The state in words."""
        return self.tags.get("fitgap.state")

    @property
    def names(self) -> tuple[str | None, ...]:
        """Its ids: one that was begun while its store was away had another one until it was delivered."""
        return self.run_id, self.tags.get("fitgap.journal")

    @property
    def parent_run_id(self) -> str | None:
        """The sweep that it belongs to."""
        return self.tags.get("mlflow.parentRunId")

    @property
    def trial_number(self) -> int:
        """The number of its trial."""
        return int(self.tags["fitgap.trial_number"])


def index_runs(runs: Sequence[Run]) -> dict[str | None, Run]:
    """Returns runs by all ids that they have or had."""
    return {name: run for run in runs for name in run.names if name is not None}


def read_studies(url: str) -> list[Study]:
    """Returns all studies of a storage."""
    storage = open_storage(url)
    try:
        studies = []
        for name in optuna.get_all_study_names(storage):
            study_id = storage.get_study_id_from_name(name)
            parent = storage.get_study_user_attrs(study_id).get(_PARENT_ATTRIBUTE)
            studies.append(Study(name, parent, tuple(TrialReader(storage, study_id).read())))
        return studies
    finally:
        close_storage(storage)


def read_runs(uri: str) -> list[Run]:
    """Returns all runs of a store."""
    client, runs, token = MlflowClient(uri), [], None
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    while True:
        page = client.search_runs(experiments, max_results=1000, page_token=token)
        runs += [
            Run(run.info.run_id, run.info.status, dict(run.data.tags), uri, run.info.experiment_id) for run in page
        ]
        token = page.token
        if not token:
            return runs
