"""A folder of its own for a test's searches: their stores, the commands that run them, and what they leave behind."""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from src.config.paths import PROJECT_ROOT
from src.ending import INTERRUPTED, LOST, STATUSES
from src.study.counts import find_last_attempts
from src.study.storage import close_storage, open_storage
from src.study.view import TrialView, view_trial

APPS = Path(__file__).parent / "apps"
MISBEHAVING, PARABOLOID = APPS / "misbehaving.py", APPS / "paraboloid.py"

#: How long anything may take before a test gives up waiting for it.
_PATIENCE_SECONDS = 240.0


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it printed."""

    code: int
    output: str

    @property
    def words(self) -> str:
        """What it printed, without the lines that the width of the console has made of it."""
        return " ".join(self.output.split())


class Site:
    """A folder in which searches are run.

    Attributes:
        folder: The working folder of all commands.
        uri: MLflow's store.
        storage: Optuna's storage.
        variables: What the environment of processes of their own has besides.
    """

    def __init__(self, folder: Path, migrated_database: Path | None) -> None:
        """Takes an empty folder; without a database the first search makes one, which takes it seconds."""
        self.folder = folder
        self.variables: dict[str, str] = {}
        self._processes: list[subprocess.Popen[str]] = []
        self.uri = f"sqlite:///{folder / 'mlflow.db'}"
        self.storage = f"sqlite:///{folder / 'optuna.db'}"
        if migrated_database is not None:
            shutil.copy(migrated_database, folder / "mlflow.db")

    def arguments(self, *overrides: str) -> list[str]:
        """Returns the command line of a search, after the program's name."""
        return ["-m", f"hydra.sweeper.storage={self.storage}", *overrides]

    def start(self, app: Path, *overrides: str) -> subprocess.Popen[str]:
        """Starts a search in a process of its own, which leads a process group; its output can be read."""
        return self._start(self.folder, str(app), *self.arguments(*overrides))

    def train(self, *overrides: str) -> subprocess.Popen[str]:
        """Starts `python -m src.train` in the project's root; what it writes lies here all the same."""
        places = [f"hydra.sweep.dir={self.folder / 'output'}", f"tracking.uri={self.uri}"]
        return self._start(PROJECT_ROOT, "-m", "src.train", *self.arguments(*places, *overrides))

    def _start(self, working_folder: Path, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=working_folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def run(self, app: Path, *overrides: str) -> Answer:
        """Runs a search in a process of its own to its end."""
        return self.finish(self.start(app, *overrides))

    def finish(self, process: subprocess.Popen[str]) -> Answer:
        """Waits for the end of a process."""
        output, _ = process.communicate(timeout=_PATIENCE_SECONDS)
        return Answer(process.returncode, output)

    def close(self) -> None:
        """Kills what a failed test has left running."""
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()

    def call(self, *overrides: str, app: Path = MISBEHAVING) -> Answer:
        """Runs a search in this process, where its trials run too: that is much faster, but nothing can be killed."""
        output, code = io.StringIO(), 0
        _spare_captured_output()
        with self._inside(), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            sys.argv = [str(app), *self.arguments("hydra/launcher=basic", *overrides)]
            try:
                runpy.run_path(str(app), run_name="__main__")
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
        return Answer(code, output.getvalue())

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        argv, environment = sys.argv, dict(os.environ)
        os.environ.update(self._environment())
        os.environ.pop("FITGAP_OUTBOX_DIR", None)
        try:
            with contextlib.chdir(self.folder):
                yield
        finally:
            sys.argv = argv
            os.environ.clear()
            os.environ.update(environment)

    def _environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key != "FITGAP_OUTBOX_DIR"}
        return {**kept, "MLFLOW_TRACKING_URI": self.uri, "PYTHONPATH": str(PROJECT_ROOT), **self.variables}

    def hold(self) -> None:
        """Has trials of the misbehaving application wait in their middle."""
        (self.folder / "hold").touch()

    def let_go(self) -> None:
        """Lets them go on."""
        (self.folder / "hold").unlink()

    def begun(self) -> list[dict[str, Any]]:
        """Returns what the misbehaving application has noted of each trial that it has begun."""
        path = self.folder / "begun.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def await_begun(self, number: int) -> list[dict[str, Any]]:
        """Waits until so many trials have begun in all, and returns the notes of all."""
        wait_until(lambda: len(self.begun()) >= number, f"{number} trials have begun")
        return self.begun()

    def trials(self, study_name: str | None = None) -> list[TrialView]:
        """Returns the trials of a study, of the only one where none is named."""
        storage = open_storage(self.storage)
        try:
            if study_name is None:
                (study_name,) = optuna.get_all_study_names(storage)
            study = optuna.load_study(study_name=study_name, storage=storage)
            return [view_trial(trial) for trial in study.get_trials()]
        finally:
            close_storage(storage)

    def study_names(self) -> list[str]:
        """Returns the names of all studies."""
        storage = open_storage(self.storage)
        try:
            return optuna.get_all_study_names(storage)
        finally:
            close_storage(storage)

    def runs(self) -> list[Run]:
        """Returns all runs of MLflow's store, the first started first."""
        client = MlflowClient(self.uri)
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return list(client.search_runs(experiments, order_by=["attributes.start_time ASC"], max_results=1000))

    def parent(self) -> Run:
        """Returns the only parent run."""
        (run,) = [run for run in self.runs() if run.data.tags.get("fitgap.kind") == "sweep"]
        return run

    def children(self) -> list[Run]:
        """Returns the runs of trials below the only parent run, in the order of their numbers."""
        parent = self.parent().info.run_id
        children = [run for run in self.runs() if run.data.tags.get("mlflow.parentRunId") == parent]
        return sorted(
            children, key=lambda run: (run.data.tags["fitgap.arm"], int(run.data.tags["fitgap.trial_number"]))
        )

    def artifacts(self, run: Run) -> set[str]:
        """Returns the paths of a run's artifacts."""
        return {artifact.path for artifact in MlflowClient(self.uri).list_artifacts(run.info.run_id)}


def check_books(site: Site, n_trials: int, *, studies: int = 1) -> None:
    """Asserts what must hold of studies and store after every search that has come to its total.

    Exactly so many trials of each study are counted, nothing is left running, no parameters are lost, no two trials
    share a folder, and the store tells of each trial what its study does.
    """
    names = site.study_names()
    assert len(names) == studies
    folders: list[str] = []
    told: dict[tuple[str, int], str] = {}
    handed_on: set[tuple[str, int]] = set()
    for name in names:
        trials = site.trials(name)
        assert {trial.state for trial in trials} <= set(STATUSES)
        last = find_last_attempts(trials)
        assert len(last) == n_trials
        assert not {LOST, INTERRUPTED} & {trial.state for trial in last}
        assert [trial.number for trial in trials] == list(range(len(trials)))
        for trial in trials:
            if trial.retry_of is not None:
                # A process that was killed while it asked may not have asked for all of them.
                assert trials[trial.retry_of].values.items() <= trial.values.items()
            if trial.folder is not None:
                folders.append(trial.folder)
            told[_arm(name, site), trial.number] = trial.state
            later = [other.run_id for other in trials[trial.number + 1 :]]
            if trial.run_id is not None and trial.run_id in later:
                handed_on.add((_arm(name, site), trial.number))
    assert len(set(folders)) == len(folders)
    assert not any(run.info.status == "RUNNING" for run in site.runs())
    children = [run for run in site.children() if not _ran_again_as_the_same_trial(run, site)]
    recorded = [(run.data.tags["fitgap.arm"], int(run.data.tags["fitgap.trial_number"])) for run in children]
    assert len(set(recorded)) == len(recorded)
    for run, key in zip(children, recorded, strict=True):
        assert run.data.tags["fitgap.state"] == told[key]
        assert run.info.status == STATUSES[told[key]]
    # What the user has interrupted came to nothing that could be recorded; a run that was gone on with from a
    # checkpoint is now that of the later attempt.
    assert {key for key, state in told.items() if state != INTERRUPTED} - handed_on <= set(recorded)


def _spare_captured_output() -> None:
    """Keeps the logging of TensorFlow's library from closing the stream with which pytest captures what is printed.

    It has taken that for its own where a test has imported TensorFlow before; and Hydra, which configures the logging,
    has all handlers close what is theirs.
    """
    if "absl.logging" in sys.modules:
        sys.modules["absl.logging"].get_absl_handler().python_handler.stream = sys.__stderr__


def _ran_again_as_the_same_trial(run: Run, site: Site) -> bool:
    """Whether a run is the first of two attempts of a trial that ran out of memory beside others on its GPU."""
    place = ("fitgap.arm", "fitgap.trial_number")
    return "fitgap.retried" in run.data.tags and any(
        other.info.run_id != run.info.run_id and all(other.data.tags[key] == run.data.tags[key] for key in place)
        for other in site.children()
    )


def _arm(study_name: str, site: Site) -> str:
    """Returns the arm of a study: what its name has beyond that of the search; of an only arm what its runs call it."""
    search = site.parent().data.tags["fitgap.study"]
    return study_name.removeprefix(f"{search}/") if study_name != search else site.children()[0].data.tags["fitgap.arm"]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Waits until something holds.

    Raises:
        TimeoutError: It does not for a long time.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited in vain until {what}.")
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Reads what a process prints until a line holds a text, and returns all of it.

    Raises:
        EOFError: The process has ended without it.
    """
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise EOFError(f"The process ended without a word of {text!r}:\n{''.join(lines)}")
