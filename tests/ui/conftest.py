"""MLflow's pages over a small sweep, and a browser that looks at them."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from src.analysis.overfitting import compute_summary
from src.config.tracking import TrackingConfig
from src.history import EpochMetrics, History
from tests.tracking.server import Server
from tests.ui.chromium import Chromium, find_chromium

with warnings.catch_warnings():
    # MLflow's own models use what SQLAlchemy is about to drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    from src.comparison.charts import arrange_charts
    from src.comparison.report import build_report, record_report
    from src.comparison.subject import Subject
    from src.tracking.outbox import await_outbox
    from src.tracking.run import TrackedRun, start_run
    from src.tracking.store import Store, open_store

QUESTION = "Which model overfits?"


@dataclass(frozen=True)
class Site:
    """A tracking server that holds one sweep of two runs, and one run beside it.

    Attributes:
        start: Address of MLflow's start page.
        store: The store that the server is.
        parent_run_id: The sweep's parent run.
    """

    start: str
    store: Store
    parent_run_id: str

    @property
    def page(self) -> str:
        """Address of the parent run's page, relative to the start page."""
        return f"#/experiments/{self.store.experiment_id}/runs/{self.parent_run_id}"


def make_history(num_epochs: int, best: float) -> History:
    """Makes up a training that overfits more with every epoch."""
    epochs = []
    for epoch in range(1, num_epochs + 1):
        learnt = epoch / num_epochs
        epochs.append(
            EpochMetrics(
                epoch=epoch,
                train_accuracy=0.5 + 0.4 * learnt,
                train_loss=1.0 - 0.8 * learnt,
                train_eval_accuracy=0.5 + 0.5 * learnt,
                train_eval_loss=1.0 - 0.9 * learnt,
                val_accuracy=0.5 + (best - 0.5) * min(1.0, 2 * learnt),
                val_loss=1.0 - 0.4 * learnt if learnt < 0.5 else 0.6 + 0.5 * learnt,
                learning_rate=1e-3 * 0.7**epoch,
                epoch_seconds=1.5,
            )
        )
    return History(tuple(epochs))


def record_run(store: Store, name: str, best: float, parent: TrackedRun | None = None) -> None:
    """Records a training as trainings record themselves."""
    tags = {"fitgap.kind": "trial" if parent else "run", "fitgap.state": "complete"}
    run = start_run(store, name=f"model={name}", tags=tags, parent_run_id=parent.run_id if parent else None)
    history = make_history(8, best)
    run.log_params({"model.name": name, "model.dropout": 0.25})
    for epoch in history.epochs:
        run.log_metrics(epoch.metrics(), step=epoch.epoch)
    run.log_metrics(compute_summary(history))
    assert run.finish().delivered


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium; without one, the tests of pages are skipped."""
    found = find_chromium()
    if found is None:
        pytest.skip("There is no Chromium to look at MLflow's pages with; `make browser` installs it.")
    return found


@pytest.fixture(scope="session")
def site(chromium: str, tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(migrated_database, folder / "server.db")
    server = Server(folder)
    server.start()
    try:
        store = open_store(TrackingConfig(uri=server.uri, experiment="digits"), folder)
        parent = start_run(store, name="grid of model", tags={"fitgap.kind": "sweep", "fitgap.state": "complete"})
        arrange_charts(parent, QUESTION, ["model"], {"model.name": "vgg16"})
        record_run(store, "vgg16", 0.9, parent)
        record_run(store, "mobilenet", 0.8, parent)
        record_run(store, "cnn", 0.7)
        await_outbox(store.outbox, 60, uri=store.uri)
        subject = Subject("grid of model", QUESTION, axes=["model"])
        record_report(parent, build_report(store, parent.run_id, folder / "report", subject))
        assert parent.finish().delivered
        yield Site(f"{server.uri}/", store, parent.run_id)
    finally:
        server.kill()


@pytest.fixture(scope="session")
def browser(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    opened = Chromium(chromium, tmp_path_factory.mktemp("chromium"))
    yield opened
    opened.close()
