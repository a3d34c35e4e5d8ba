"""The parent run of a search: started by the first process that runs it, found again by those that go on with it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout

from src.comparison.charts import arrange_charts
from src.ending import COMPLETE
from src.errors import StudyError, TrackingError
from src.study.address import sqlite_path
from src.study.study import ArmStudy
from src.sweep.plan import Search
from src.tracking.address import UnreachableError
from src.tracking.facts import describe_environment
from src.tracking.records import load_run
from src.tracking.run import TrackedRun, resume_run, start_run
from src.tracking.store import Store, may_be_away

#: The study's attribute that names the parent run.
PARENT_ATTRIBUTE = "fitgap.parent_run_id"

#: How long a process that joins a search waits for the one that starts it.
_JOIN_SECONDS = 120.0
#: How long the lock is tried for: who only looks whether a search goes on holds it for a moment.
_LOOK_SECONDS = 1.0


@dataclass
class Parent:
    """The parent run as one of the processes of a search has it.

    Attributes:
        run_id: Its id.
        run: The run itself, for the one process of a machine that leads; None for those that join it.
        lock: What makes a process the leading one.
    """

    run_id: str
    run: TrackedRun | None
    lock: FileLock

    def name_in(self, studies: Sequence[ArmStudy]) -> None:
        """Tells studies the id of the run, where the store, which was away, has given it another since."""
        if self.run is not None and self.run.run_id != self.run_id:
            self.run_id = self.run.run_id
            for study in studies:
                study.set_attr(PARENT_ATTRIBUTE, self.run_id)

    def release(self) -> None:
        """Lets another process lead."""
        self.lock.release()


def open_parent(search: Search, store: Store, studies: list[ArmStudy], warnings: list[str]) -> Parent:
    """Starts the parent run of a search, resumes that of an earlier process, or joins a living one.

    Raises:
        StudyError: The process that leads the search does not start its parent run.
        TrackingError: The store does not answer, or does not have the run any more.
    """
    lock = FileLock(_lock_path(search.root, search.name, studies[0]))
    try:
        lock.acquire(timeout=_LOOK_SECONDS)
    except Timeout:
        return Parent(_await_parent(studies), None, lock)
    try:
        run_id = next(filter(None, (study.get_attr(PARENT_ATTRIBUTE) for study in studies)), None)
        run = _start(search, store, warnings) if run_id is None else _resume(store, str(run_id), search)
        for study in studies:
            study.set_attr(PARENT_ATTRIBUTE, run.run_id)
    except BaseException:
        lock.release()
        raise
    return Parent(run.run_id, run, lock)


def take_over(search: Search, store: Store, parent: Parent) -> Parent:
    """Returns the parent run for a process that had joined a search: it leads now, where the one that led has left.

    That one may have been killed or interrupted, and then nobody else would say what became of the search.

    Raises:
        TrackingError: The store does not answer, or does not have the run any more.
    """
    try:
        parent.lock.acquire(timeout=_LOOK_SECONDS)
    except Timeout:
        return parent
    try:
        if not _is_complete(search, store, parent.run_id):
            return Parent(parent.run_id, _resume(store, parent.run_id, search), parent.lock)
    except BaseException:
        parent.lock.release()
        raise
    parent.lock.release()
    return parent


def _is_complete(search: Search, store: Store, run_id: str) -> bool:
    try:
        return load_run(store, run_id).tags.get("fitgap.state") == COMPLETE
    except UnreachableError:
        if not _may_be_away(search):
            raise
        # To report on a search once more changes nothing.
        return False


def _may_be_away(search: Search) -> bool:
    return may_be_away(search.arms[0].checked.tracking)


def _start(search: Search, store: Store, warnings: list[str]) -> TrackedRun:
    objectives = search.objectives
    tags = {
        **describe_environment(),
        **search.arms[0].checked.tracking.tags,
        "fitgap.kind": "sweep",
        "fitgap.state": "running",
        "fitgap.question": search.question,
        "fitgap.objective": ",".join(objectives.names),
        "fitgap.direction": ",".join(objective.direction for objective in objectives.objectives),
        "fitgap.study": search.name,
    }
    if warnings:
        tags["fitgap.warnings"] = "\n".join(warnings)
    run = start_run(store, name=search.name, tags=tags, defer=_may_be_away(search))
    params: dict[str, object] = {f"grid.{key}": ",".join(values) for key, values in search.axes.items()}
    for dimension in search.arms[0].space.dimensions:
        params[f"search.{dimension.key}"] = dimension.describe()
    settings = search.settings
    params |= {
        "num_arms": len(search.arms),
        "n_trials": search.n_trials,
        "sampler": settings.sampler,
        "pruner": settings.pruner,
        "objective": tags["fitgap.objective"],
        "direction": tags["fitgap.direction"],
    }
    if objectives.constraints:
        params["constraints"] = ", ".join(constraint.text for constraint in objectives.constraints)
    if settings.seeds:
        params["seeds"] = ",".join(map(str, settings.seeds))
    run.log_params(params)
    keys = [*search.axes, *(dimension.key for dimension in search.arms[0].space.dimensions)]
    directions = {objective.name: objective.direction for objective in objectives.objectives}
    arrange_charts(run, search.question, keys, search.arms[0].checked.settings, directions)
    return run


def _resume(store: Store, run_id: str, search: Search) -> TrackedRun:
    try:
        run = resume_run(store, run_id, name=search.name, defer=_may_be_away(search))
    except TrackingError as error:
        raise TrackingError(
            f"Search '{search.name}' cannot go on in the tracking store: {error} To begin a new search give "
            "hydra.sweeper.study_name=NAME."
        ) from error
    run.set_tags({"fitgap.state": "running"})
    return run


def _await_parent(studies: list[ArmStudy]) -> str:
    deadline = time.monotonic() + _JOIN_SECONDS
    while time.monotonic() < deadline:
        run_id = studies[0].get_attr(PARENT_ATTRIBUTE)
        if run_id is not None:
            return str(run_id)
        time.sleep(0.2)
    raise StudyError(
        f"Another process has begun study '{studies[0].name}', but has not started its parent run within "
        f"{_JOIN_SECONDS:g} seconds. Look what it is doing, end it, and run the command again."
    )


def _lock_path(root: Path, name: str, study: ArmStudy) -> Path:
    """One file per search and storage; beside the storage where that is a file, so that a copy is another search."""
    database = sqlite_path(study.storage_url)
    digest = sha256(f"{study.storage_url}\n{name}".encode()).hexdigest()[:12]
    folder = (root / "mlruns" if database is None else database.parent) / "studies"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)[:60]}-{digest}.lock"
