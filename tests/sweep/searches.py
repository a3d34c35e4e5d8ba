"""Searches to try things on: the shipped configuration, real studies and a real store, trials that took no time."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig
from optuna.storages import BaseStorage
from rich.console import Console

from src.analysis.overfitting import compute_metrics
from src.application import TrainingApplication
from src.config.composition import register_schemas
from src.config.paths import PROJECT_ROOT
from src.config.sweeper import SweeperConfig
from src.ending import STATUSES
from src.errors import TrackingError
from src.history import EpochMetrics, History
from src.study.address import sqlite_url
from src.study.objective import parse_objectives
from src.study.outcome import Outcome
from src.study.owner import Owner
from src.study.storage import close_storage, open_storage
from src.study.study import ArmStudy
from src.study.view import TrialView
from src.sweep.application import Checked
from src.sweep.arms import build_arms
from src.sweep.launching import Launching
from src.sweep.plan import Search
from src.sweep.request import read_request
from src.sweep.specification import build_spec
from src.tracking.run import TrackedRun, start_run
from src.tracking.store import Store

SPACE = ("model.dropout=interval(0,0.7)", "optimizer.learning_rate=tag(log,interval(1e-4,1e-2))")


class ScoredApplication(TrainingApplication):
    """Trainings whose models are not there: their test accuracy is made up, and who was measured is noted."""

    def __init__(self) -> None:
        self.measured: list[str] = []

    def measure_test(self, config: Checked, run_id: str) -> dict[str, float]:
        self.measured.append(run_id)
        if config.config.seed == 13:
            raise TrackingError("The model is gone.")
        return {"test_accuracy": 0.5, "test_loss": 1.25}


def make_launching(slots: int = 2) -> Launching:
    """Makes up a launcher that nobody may use."""

    def launch(overrides: Sequence[str], number: int) -> Any:
        raise AssertionError("Nothing is to be launched.")

    return Launching(launch, slots=slots, inline=False, remark=None, launcher=None)


def make_search(folder: Path, *arguments: str, space: Sequence[str] = SPACE, **settings: Any) -> Search:
    """Reads a command line as the sweeper does, with the shipped configuration."""
    register_schemas()
    loader = ConfigLoaderImpl(create_config_search_path(str(PROJECT_ROOT / "conf")))

    def composer(overrides: Sequence[str]) -> DictConfig:
        return loader.load_configuration("train", list(overrides), run_mode=RunMode.RUN)

    application = ScoredApplication()
    sweeper = SweeperConfig(**{"n_trials": 4, "pruner": "none", "sampler": "random", **settings})
    where = f"tracking.uri=sqlite:///{folder / 'mlflow.db'}"
    request = read_request([*arguments, where, *space], sweeper, OverridesParser.create())
    return Search(
        name=sweeper.study_name or "digits/mine",
        question="Which dropout is it?",
        arms=build_arms(request.cells, request.searched, sweeper, composer, application),
        axes=request.axes,
        settings=sweeper,
        objectives=parse_objectives(sweeper.objective, sweeper.direction, sweeper.constraints),
        compose=composer,
        application=application,
        launching=make_launching(),
        folder=folder / "out",
        root=folder,
        console=Console(file=io.StringIO(), width=160, highlight=False, markup=False),
        config_name="train",
    )


def read_console(search: Search) -> str:
    """Returns what a search has printed."""
    file = search.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def make_history(*val_accuracies: float, train_eval_accuracy: float = 0.9375) -> History:
    """Makes up a history whose loss follows its accuracy."""
    return History(
        tuple(
            EpochMetrics(
                epoch=epoch,
                train_accuracy=0.6,
                train_loss=0.7,
                train_eval_accuracy=train_eval_accuracy,
                train_eval_loss=0.125,
                val_accuracy=accuracy,
                val_loss=1 - accuracy,
                learning_rate=1e-3,
                epoch_seconds=1.25,
            )
            for epoch, accuracy in enumerate(val_accuracies, start=1)
        )
    )


@dataclass
class Stage:
    """A search with its studies, its parent run and the means to add trials to it."""

    search: Search
    store: Store
    storage: BaseStorage
    parent: TrackedRun
    studies: list[ArmStudy] = field(default_factory=list)

    @classmethod
    def open(cls, search: Search, store: Store, storage: BaseStorage, url: str) -> Stage:
        """Opens studies and parent run as a search does."""
        tags = {
            "fitgap.kind": "sweep",
            "fitgap.state": "running",
            "fitgap.question": search.question,
            "fitgap.objective": ",".join(search.objectives.names),
            "fitgap.direction": ",".join(item.direction for item in search.objectives.objectives),
        }
        parent = start_run(store, name=search.name, tags=tags)
        space = {f"search.{item.key}": item.describe() for item in search.arms[0].space.dimensions}
        constraints = ", ".join(item.text for item in search.objectives.constraints)
        parent.log_params(
            {**space, "num_arms": len(search.arms), **({"constraints": constraints} if constraints else {})}
        )
        stage = cls(search, store, storage, parent)
        for arm in search.arms:
            stage.studies.append(ArmStudy.open(storage, url, build_spec(search, arm, {}, {})))
        return stage

    def run_trial(
        self,
        history: History | None = None,
        *,
        arm: int = 0,
        state: str = "complete",
        retry: bool = False,
        spread: Mapping[str, float] | None = None,
    ) -> TrialView:
        """Runs a trial of an arm: its run is recorded and its study told, as if a training had come to this."""
        study, name = self.studies[arm], self.search.arms[arm].name
        ask = study.ask(Owner.current())
        assert ask is not None
        history = make_history(0.5, 0.75) if history is None else history
        tags = {
            "fitgap.kind": "trial",
            "fitgap.state": state,
            "fitgap.arm": name,
            "fitgap.trial_number": str(ask.number),
            **({"fitgap.error": "ValueError: no"} if state == "failed" else {}),
        }
        run = start_run(self.store, name=f"{name} #{ask.number}", tags=tags, parent_run_id=self.parent.run_id)
        run.log_params(ask.values)
        metrics = {**compute_metrics(history), **(spread or {})} if history else {}
        last = history.epochs[-1].metrics() if history else {}
        for epoch in history.epochs:
            run.log_metrics(epoch.metrics(), step=epoch.epoch)
            study.report(ask.number, epoch.val_accuracy, epoch.epoch)
        run.log_metrics({key: value for key, value in metrics.items() if key not in last})
        run.finish(STATUSES[state])
        told = metrics if state == "complete" else {}
        error = "ValueError: no" if state == "failed" else None
        return study.tell(ask.number, Outcome(state, told, error, run_id=run.run_id, seconds=1.5), retry=retry)


Opener = Callable[..., Stage]


@contextmanager
def open_stage(folder: Path, store: Store, *arguments: str, **settings: Any) -> Iterator[Stage]:
    """Opens a search with its studies in a folder, and its parent run in a store."""
    url = sqlite_url(folder / "optuna.db")
    storage = open_storage(url)
    try:
        yield Stage.open(make_search(folder, *arguments, **settings), store, storage, url)
    finally:
        close_storage(storage)
