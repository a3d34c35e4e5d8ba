"""The audit at the end of a month: each function returns what is wrong, in a sentence each."""

from __future__ import annotations

import sqlite3
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from mlflow.artifacts import download_artifacts
from mlflow.tracking import MlflowClient
from PIL import Image

from src.claims import ClaimBook
from src.ending import COMPLETE, INTERRUPTED, LOST, STATUSES
from src.housekeeping.holding import measure
from src.occupancy import find_held_locks
from src.scheduling.shift import RUNNING, Shift
from src.study.counts import count_trials
from tests.month.books import Run, Study, index_runs

#: What each trial that has come to its end has left in the store.
ARTIFACTS = (
    "augmentation_preview.png",
    "config.yaml",
    "confusion_matrix.png",
    "curves.png",
    "dataset_preview.png",
    "history.csv",
    "worst_predictions.png",
)


def find_running(studies: Sequence[Study], runs: Sequence[Run]) -> list[str]:
    """Finds what neither store has ended, though no process is left."""
    problems = [
        f"Trial {view.number} of {study.name} is {view.state}."
        for study in studies
        for view in study.trials
        if view.state not in STATUSES
    ]
    return problems + [f"Run {run.run_id} is RUNNING." for run in runs if run.status == "RUNNING"]


def find_unmatched(studies: Sequence[Study], runs: Sequence[Run]) -> list[str]:
    """Finds trials that the stores do not agree on."""
    problems = []
    known = index_runs(runs)
    parents = {known[study.parent_run_id].run_id: study for study in studies if study.parent_run_id in known}
    children: dict[str, dict[int, Run]] = {run_id: {} for run_id in parents}
    for run in runs:
        if run.state not in STATUSES or STATUSES[run.state] != run.status:
            problems.append(f"Run {run.run_id} is {run.status}, and its state {run.state}.")
        if run.tags.get("fitgap.kind") == "sweep":
            # A search that was killed right after it had begun its run begins another one.
            if run.run_id not in parents and run.state != LOST:
                problems.append(f"Run {run.run_id} is that of a search which no study knows of.")
        elif run.parent_run_id not in parents:
            problems.append(f"Run {run.run_id} is that of a trial which no study knows of.")
        elif run.trial_number in children[run.parent_run_id]:
            problems.append(f"Trial {run.trial_number} of {parents[run.parent_run_id].name} has two runs.")
        else:
            children[run.parent_run_id][run.trial_number] = run
    for study in studies:
        if study.parent_run_id not in known:
            problems.append(f"Study {study.name} has no parent run.")
        else:
            problems += _compare(study, children[known[study.parent_run_id].run_id])
    return problems


def _compare(study: Study, runs: dict[int, Run]) -> list[str]:
    problems = [
        f"Run {runs[number].run_id} is that of trial {number}, which {study.name} does not have."
        for number in sorted(set(runs) - {view.number for view in study.trials})
    ]
    for index, view in enumerate(study.trials):
        if view.run_id is not None and view.run_id in [later.run_id for later in study.trials[index + 1 :]]:
            # It was gone on with from a checkpoint, and its run is that of the later attempt.
            continue
        run, name = runs.get(view.number), f"Trial {view.number} of {study.name}"
        if run is None:
            # One that was killed before it had begun its run has none.
            if view.state not in (LOST, INTERRUPTED) or view.run_id is not None:
                problems.append(f"{name} is {view.state}, and has no run.")
        elif run.state != view.state and (run.state, view.state, view.run_id) != (LOST, INTERRUPTED, None):
            # One that was ended before it had named its run: whoever closes that knows no more than that it was lost.
            problems.append(f"{name} is {view.state}, and its run {run.state}.")
        elif view.run_id not in (None, *run.names):
            problems.append(f"{name} names run {view.run_id}, and is run {run.run_id}.")
    return problems


def find_unplanned(shifts: Sequence[Shift], studies: Sequence[Study]) -> list[str]:
    """Finds trials that shifts were to come to and did not, and trials that none was to come to."""
    problems = []
    wanted: dict[str, int] = {}
    for shift in shifts:
        if shift.goal is not None:
            wanted[shift.goal.study] = max(wanted.get(shift.goal.study, 0), shift.goal.total)
    counted = {study.name: count_trials(study.trials) for study in studies}
    for name in sorted(set(wanted) | set(counted)):
        number = counted[name].counted if name in counted else 0
        if number != wanted.get(name, 0):
            problems.append(f"{name} was to come to {wanted.get(name, 0)} trials, and has {number}.")
    return problems


def find_open_shifts(journal: Path) -> list[str]:
    """Finds shifts that have not ended, and lines of their journal that cannot be read."""
    problems = []
    for number, line in enumerate(journal.read_text(encoding="utf-8").splitlines(), 1):
        try:
            shift = Shift.from_json(line)
        except (ValueError, TypeError, AttributeError):
            problems.append(f"Line {number} of {journal} cannot be read.")
            continue
        if shift.state == RUNNING or (shift.ended is None and shift.state != LOST):
            problems.append(f"The shift of {shift.started} is {shift.state}, and has not ended.")
    return problems


def find_lost_artifacts(runs: Sequence[Run]) -> list[str]:
    """Finds artifacts of finished trials that are not there, or cannot be read."""
    problems = []
    for run in runs:
        if run.status != "FINISHED" or run.tags.get("fitgap.kind") != "trial":
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name in ARTIFACTS:
                try:
                    _read(Path(MlflowClient(run.uri).download_artifacts(run.run_id, name, folder)))
                except Exception as error:
                    problems.append(f"{name} of run {run.run_id} cannot be read: {error}.")
    return problems


def _read(path: Path) -> None:
    if path.suffix == ".png":
        with Image.open(path) as image:
            image.load()
    elif not path.read_text(encoding="utf-8").strip():
        raise OSError("it is empty")


def find_lost_files(kept: Iterable[Path]) -> list[str]:
    """Finds files that were there after an earlier night and are not any more."""
    return [f"{path} is lost." for path in sorted(kept) if not path.is_file()]


def find_missing_winners(studies: Sequence[Study], runs: Sequence[Run]) -> list[str]:
    """Finds best trials whose model has not been kept, or cannot be read."""
    problems = []
    known = index_runs(runs)
    for study in studies:
        complete = [view for view in study.trials if view.state == COMPLETE]
        best = max(complete, key=lambda view: (view.objectives[0], -view.number), default=None)
        if best is None or best.run_id not in known:
            continue
        run, name = known[best.run_id], f"The model of trial {best.number}, the best of {study.name},"
        models = MlflowClient(run.uri).search_logged_models(
            [run.experiment_id], filter_string=f"source_run_id = '{run.run_id}'"
        )
        if not models:
            problems.append(f"{name} is not there.")
        for model in models:
            with tempfile.TemporaryDirectory() as folder:
                place = f"{model.artifact_location}/data/model.keras"
                try:
                    file = download_artifacts(artifact_uri=place, dst_path=folder, tracking_uri=run.uri)
                    zipfile.ZipFile(file).testzip()
                except Exception as error:
                    problems.append(f"{name} cannot be read: {error}.")
    return problems


def find_held(root: Path, claims: ClaimBook) -> list[str]:
    """Finds locks that are held below a folder, and claims on GPUs."""
    problems = [f"{path} is locked." for path in find_held_locks([root])]
    problems += [f"GPUs are claimed: {claim.describe()}." for claim in claims.read()]
    return problems + [f"{path} is left of a claim." for path in sorted(claims.folder.glob("*.json"))]


def find_undelivered(outbox: Path) -> list[str]:
    """Finds what a store has not been told yet."""
    return [f"{path} is not delivered." for path in sorted(outbox.glob("*")) if path.is_dir()]


def find_over_budget(folders: Sequence[Path], disk_gb: float) -> list[str]:
    """Finds more than a budget, in 10^9 bytes, in folders together."""
    num_bytes = sum(map(measure, folders))
    if num_bytes <= disk_gb * 1e9:
        return []
    return [f"Caches, checkpoints and models take {num_bytes / 1e9:.6f} GB, more than {disk_gb:g} GB."]


def find_damaged(databases: Sequence[Path]) -> list[str]:
    """Finds SQLite files that are not whole."""
    problems = []
    for path in databases:
        try:
            with closing(sqlite3.connect(path)) as connection:
                faults = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
        except sqlite3.DatabaseError as error:
            faults = [str(error)]
        if faults != ["ok"]:
            problems.append(f"{path} is damaged: {faults[0]}.")
    return problems
