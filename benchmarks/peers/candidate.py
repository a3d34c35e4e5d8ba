"""Who takes part: fitgap and its peers, and how each is told what to search and asked what came of it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.search import Search
from src.config.paths import PROJECT_ROOT

SCRIPTS = PROJECT_ROOT / "benchmarks" / "rivals" / "searches"

#: What fitgap calls the axes.
KEYS = {"dropout": "model.dropout", "learning_rate": "optimizer.learning_rate"}


@dataclass(frozen=True)
class Candidate:
    """One row of the table.

    Attributes:
        key: Its name on the command line.
        title: Its name in the table.
        script: Its script beside the others; None is fitgap.
        environment: The environment that it needs for itself; None is the project's.
        options: What tells it from another candidate with the same script; fitgap takes overrides.
        tracked: Whether fitgap's goal for tracked peers is held against it.
        searches: The searches it takes part in.
        packages: Whose versions matter for it.
    """

    key: str
    title: str
    script: str | None = None
    environment: str | None = None
    options: tuple[str, ...] = ()
    tracked: bool = True
    searches: tuple[str, ...] = ("digits", "pets")
    packages: tuple[str, ...] = ()


FITGAP = Candidate("fitgap", "fitgap", tracked=False, packages=("optuna", "mlflow", "hydra-core"))
PLAIN = Candidate("keras", "plain Keras, untracked", "plain_keras", environment="keras", tracked=False)

CANDIDATES = (
    FITGAP,
    Candidate("fitgap-float32", "fitgap in float32", options=("trainer.precision=float32",), tracked=False),
    Candidate("fitgap-two-slots", "fitgap, two trials at a time", options=("hydra.sweeper.n_jobs=2",), tracked=False),
    PLAIN,
    Candidate(
        "keras-generator",
        "plain Keras, old ImageDataGenerator",
        "plain_keras",
        options=("generator",),
        tracked=False,
        searches=("pets",),
    ),
    Candidate("autolog", "Keras with MLflow autolog", "keras_autolog", packages=("mlflow",)),
    Candidate(
        "autolog-no-models",
        "Keras with MLflow autolog, no models",
        "keras_autolog",
        options=("no-models",),
        packages=("mlflow",),
    ),
    Candidate("optuna", "Optuna's loop, MLflow autolog", "optuna_mlflow", packages=("optuna", "mlflow")),
    Candidate(
        "hydra-optuna",
        "Hydra's Optuna sweeper, MLflow autolog",
        "hydra_optuna",
        environment="hydra-optuna",
        packages=("hydra-optuna-sweeper", "hydra-core", "optuna", "mlflow"),
    ),
    Candidate("keras-tuner", "Keras Tuner", "keras_tuner_grid", environment="keras", packages=("keras-tuner",)),
    Candidate("ray", "Ray Tune", "ray_tune", environment="ray", packages=("ray",)),
)


@dataclass(frozen=True)
class Trial:
    """One trial that has ended: its point, its best validation accuracy and when it ended, in seconds since 1970."""

    point: dict[str, float]
    best_val_accuracy: float
    ended: float


def build_command(
    candidate: Candidate, search: Search, python: Path, data: Path, folder: Path, *, module: str = "src.train"
) -> list[str]:
    """Returns the command that runs a search; what it writes lies in the folder, which is empty.

    Args:
        candidate: Who runs it.
        search: What is searched.
        python: The interpreter of the candidate's environment.
        data: What `prepare_data` has returned.
        folder: An empty folder.
        module: fitgap's entry point.
    """
    if candidate.script is None:
        return [str(python), "-m", module, *_build_overrides(search, data, folder), *candidate.options]
    task = folder / "task.json"
    task.write_text(json.dumps(_describe_task(candidate, search, data, folder)), encoding="utf-8")
    script = [str(python), str(SCRIPTS / f"{candidate.script}.py")]
    if candidate.script != "hydra_optuna":
        return [*script, str(task)]
    return [
        *script,
        "-m",
        f"task={task}",
        *_list_choices(search, {name: name for name in search.axes}),
        f"hydra.sweeper.n_trials={len(search.points)}",
        f"hydra.sweep.dir={folder / 'jobs'}",
    ]


def read_trials(candidate: Candidate, output: str, folder: Path) -> list[Trial]:
    """Returns the trials of a search that has ended, in the order in which they ended.

    Args:
        candidate: Who ran it.
        output: What it printed.
        folder: The folder that `build_command` was given.

    Raises:
        ValueError: A peer's script printed no trials.
    """
    if candidate.script is None:
        return _read_study(folder)
    for line in reversed(output.splitlines()):
        if line.startswith('{"trials": '):
            return [Trial(**trial) for trial in json.loads(line)["trials"]]
    raise ValueError(f"{candidate.script}.py printed no line with its trials.")


def check_trials(search: Search, trials: Sequence[Trial]) -> None:
    """Makes sure that a search has trained each of its points once and measured it.

    Raises:
        ValueError: It has not; a peer may go on after trials that have failed.
    """
    points = [trial.point for trial in trials]
    if len(points) != len(search.points) or any(point not in points for point in search.points):
        raise ValueError(f"trained {points} instead of the points asked for, {search.points}")
    for trial in trials:
        if not isinstance(trial.best_val_accuracy, float) or not math.isfinite(trial.best_val_accuracy):
            raise ValueError(f"measured {trial.best_val_accuracy} as the accuracy of {trial.point}")


def build_environment(candidate: Candidate, folder: Path) -> dict[str, str]:
    """Returns the variables of a candidate's process; runs are tracked in a database that its later runs find again.

    Args:
        candidate: Who runs.
        folder: The candidate's own folder.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FITGAP_"))}
    environment |= {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        # Nobody's figures are to depend on whether a distant server answers.
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    if candidate.script is None:
        environment |= {
            "PYTHONPATH": str(PROJECT_ROOT),
            "FITGAP_CACHE_DIR": str(folder / "cache"),
            "FITGAP_OUTBOX_DIR": str(folder / "outbox"),
        }
    return environment


def _build_overrides(search: Search, data: Path, folder: Path) -> list[str]:
    place = [] if search.name == "digits" else [f"dataset.url={data}"]
    return [
        "-m",
        *search.overrides,
        *place,
        f"dataset.num_train={search.num_train}",
        f"dataset.num_val={search.num_val}",
        *_list_choices(search, KEYS),
        f"trainer.epochs={search.epochs}",
        f"trainer.batch_size={search.batch_size}",
        f"seed={search.seed}",
        "hydra.sweeper.sampler=grid",
        "hydra.sweeper.pruner=none",
        "hydra.sweeper.n_jobs=1",
        f"hydra.sweeper.n_trials={len(search.points)}",
        f"hydra.sweeper.storage=sqlite:///{folder / 'optuna.db'}",
        f"hydra.sweep.dir={folder / 'jobs'}",
    ]


def _list_choices(search: Search, keys: dict[str, str]) -> list[str]:
    return [f"{keys[name]}=choice({','.join(map(str, values))})" for name, values in search.axes.items()]


def _describe_task(candidate: Candidate, search: Search, data: Path, folder: Path) -> dict[str, object]:
    return {
        "workload": search.name,
        "data": str(data),
        "axes": search.axes,
        "epochs": search.epochs,
        "batch_size": search.batch_size,
        "image_size": search.image_size,
        "seed": search.seed,
        "folder": str(folder),
        "options": candidate.options,
    }


def _read_study(folder: Path) -> list[Trial]:
    """Reads fitgap's trials from its study."""
    import optuna

    storage = f"sqlite:///{folder / 'optuna.db'}"
    (study_name,) = optuna.get_all_study_names(storage)
    study = optuna.load_study(study_name=study_name, storage=storage)
    names = {key: name for name, key in KEYS.items()}
    trials = []
    for trial in study.get_trials(states=(optuna.trial.TrialState.COMPLETE,)):
        assert trial.datetime_complete is not None
        assert trial.value is not None
        point = {names[key]: float(value) for key, value in trial.params.items()}
        trials.append(Trial(point, trial.value, trial.datetime_complete.timestamp()))
    return sorted(trials, key=lambda trial: trial.ended)


def choose_candidates(search: Search, only: Sequence[str]) -> list[Candidate]:
    """Returns the candidates that take part in a search; fitgap always does, as all are compared with it."""
    return [
        candidate
        for candidate in CANDIDATES
        if search.name in candidate.searches and (not only or candidate is FITGAP or candidate.key in only)
    ]
