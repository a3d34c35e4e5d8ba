"""Worker processes for the tests: a small Hydra application around any task function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.types import HydraContext, RunMode, TaskFunction

from src.workers.layout import plan_layout
from src.workers.local import LocalWorkers

OpenWorkers = Callable[..., LocalWorkers]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder of the multirun."""
    return tmp_path / "multirun"


@pytest.fixture
def open_workers(tmp_path: Path, folder: Path) -> Iterator[OpenWorkers]:
    """Makes worker processes that run a task function; they are ended after the test."""
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "app.yaml").write_text("x: 0\nmeeting: null\n", encoding="utf-8")
    opened: list[LocalWorkers] = []

    def make(task: TaskFunction, **settings: object) -> LocalWorkers:
        GlobalHydra.instance().clear()
        hydra = Hydra.create_main_hydra2("app", create_config_search_path(str(conf)))
        config = hydra.compose_config(
            "app", [f"hydra.sweep.dir={folder}", "hydra.job.chdir=false"], run_mode=RunMode.MULTIRUN
        )
        context = HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks(config))
        workers = LocalWorkers(plan_layout(**settings), context, task, config)  # type: ignore[arg-type]
        opened.append(workers)
        return workers

    yield make
    for workers in opened:
        workers.close()
    GlobalHydra.instance().clear()
