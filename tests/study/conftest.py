"""Studies to try things on: small spaces in an SQLite file of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import BaseStorage

from src.config.paths import PROJECT_ROOT
from src.study.address import sqlite_url
from src.study.outcome import Outcome
from src.study.owner import Owner
from src.study.storage import close_storage, open_storage
from src.study.study import ArmStudy, Ask, StudySpec

#: What a process needs to open the same study as `make_spec` describes; reads the URL and what to change from argv.
SETUP = """
import json, sys, time
from hydra.core.override_parser.overrides_parser import OverridesParser
from src.study.objective import parse_objectives
from src.study.outcome import Outcome
from src.study.owner import Owner
from src.study.space import parse_space
from src.study.storage import close_storage, open_storage
from src.study.study import ArmStudy, StudySpec

def make_spec(
    *, space=("x=interval(0,1)",), name="study", objective="accuracy", direction="maximize", constraints=(), **changes
):
    parsed = parse_space(OverridesParser.create().parse_overrides(list(space)), {}, {})
    values = dict(
        name=name, space=parsed, fixed={}, objectives=parse_objectives(objective, direction, list(constraints)),
        sampler="random", sampler_kwargs={}, pruner="none", pruner_kwargs={}, seed=0, n_trials=5,
        fingerprint={"search space": parsed.to_record()},
    )
    return StudySpec(**{**values, **changes})
"""

#: The same, and the study opened.
OPENED = (
    SETUP
    + """
url, changes = sys.argv[1], json.loads(sys.argv[2])
storage = open_storage(url)
study = ArmStudy.open(storage, url, make_spec(**changes))
owner = Owner.current()
"""
)


@pytest.fixture(scope="session")
def make_spec() -> Callable[..., StudySpec]:
    """Describes a study with one searched key, `x` from 0 to 1, and five trials, unless it is told otherwise."""
    scope: dict[str, Any] = {}
    exec(SETUP, scope)
    function: Callable[..., StudySpec] = scope["make_spec"]
    return function


@pytest.fixture
def url(tmp_path: Path) -> str:
    return sqlite_url(tmp_path / "optuna.db")


@pytest.fixture
def storage(url: str) -> Iterator[BaseStorage]:
    opened = open_storage(url)
    yield opened
    close_storage(opened)


@pytest.fixture
def open_study(storage: BaseStorage, url: str, make_spec: Callable[..., StudySpec]) -> Callable[..., ArmStudy]:
    """Opens the study of the test's own file, as each process would."""

    def open_it(points: Sequence[dict[str, Any]] = (), **changes: Any) -> ArmStudy:
        return ArmStudy.open(storage, url, make_spec(**changes), points)

    return open_it


@pytest.fixture
def run_trial() -> Callable[..., Ask | None]:
    """Asks a study for a trial and tells it complete with this accuracy, or what else is given."""

    def run(study: ArmStudy, accuracy: float = 0.5, *, retry: bool = False, **changes: Any) -> Ask | None:
        ask = study.ask(Owner.current())
        if ask is not None:
            outcome = {"state": "complete", "metrics": {"accuracy": accuracy}, **changes}
            study.tell(ask.number, Outcome.from_dict(outcome), retry=retry)
        return ask

    return run


@pytest.fixture
def start_process(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python processes in which warnings are errors, and that do not outlive the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "PYTHONWARNINGS": "error"},
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def run_together(start_process: Callable[..., subprocess.Popen[str]]) -> Callable[..., list[str]]:
    """Runs processes that begin at the same moment, once all have started; returns what each has printed."""

    def run(code: str, *arguments: str, count: int) -> list[str]:
        ready = "import sys\nfrom src.study import study\nprint('ready', flush=True)\nsys.stdin.readline()\n"
        processes = [start_process(ready + code, *arguments) for _ in range(count)]
        for process in processes:
            assert process.stdout
            line = process.stdout.readline()
            assert line == "ready\n", process.communicate()[1]
        for process in processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        ended = [process.communicate(timeout=120) for process in processes]
        assert [errors for _, errors in ended] == [""] * count
        return [output for output, _ in ended]

    return run


@pytest.fixture(scope="session")
def opened() -> str:
    """Code that opens the study in another process: its arguments are the URL and, as JSON, what is different."""
    return OPENED
