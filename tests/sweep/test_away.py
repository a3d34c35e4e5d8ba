"""Searches whose tracking server is away when they start, in their middle or at their end. It is a real one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from src.config.paths import PROJECT_ROOT
from tests.sweep.site import MISBEHAVING, Answer, Site, check_books, read_until
from tests.tracking.server import Server

SEARCH = ("x=interval(-5,5)", "hydra.sweeper.pruner=none", "hydra.sweeper.n_jobs=1")


@pytest.fixture(scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(migrated_database, folder / "server.db")
    server = Server(folder)
    yield server
    server.kill()


@pytest.fixture
def server(_server: Server, migrated_database: Path) -> Server:
    """A server that is away, and has never been asked for anything."""
    _server.kill()
    for path in _server.folder.glob("server.db*"):
        path.unlink()
    shutil.copy(migrated_database, _server.folder / "server.db")
    return _server


@pytest.fixture
def site(tmp_path: Path, server: Server) -> Iterator[Site]:
    """A folder for searches that go on without the server."""
    site = Site(tmp_path, None)
    site.uri = server.uri
    site.variables = {"FITGAP_OFFLINE": "continue", "FITGAP_OUTBOX_DIR": str(tmp_path / "outbox")}
    yield site
    site.close()


def deliver(site: Site) -> Answer:
    outbox = ["--outbox", site.variables["FITGAP_OUTBOX_DIR"], "--uri", site.uri]
    command = [sys.executable, "-m", "src.deliver", *outbox]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=120, check=False)
    return Answer(done.returncode, done.stdout + done.stderr)


def left(site: Site) -> list[str]:
    """Returns the journals that are still on disk."""
    outbox = Path(site.variables["FITGAP_OUTBOX_DIR"])
    return [path.name for path in outbox.iterdir()] if outbox.exists() else []


def check_delivered(site: Site, n_trials: int) -> None:
    """Asserts that the store has all of a search: its runs, all of them ended, its values, its files, its report."""
    assert left(site) == []
    check_books(site, n_trials)
    parent = site.parent()
    assert (parent.info.status, parent.data.tags["fitgap.report"]) == ("FINISHED", "made")
    assert site.artifacts(parent) >= {"trials.csv", "winner.yaml", "plots", "comparison.csv", "report.html"}
    for trial, run in zip(site.trials(), site.children(), strict=True):
        assert run.data.metrics == trial.metrics
        assert [point.step for point in MlflowClient(site.uri).get_metric_history(run.info.run_id, "value")] == [1]
    best = min(site.trials(), key=lambda trial: trial.objectives)
    assert parent.data.metrics["best_so_far_value"] == best.objectives[0]
    assert parent.data.tags["fitgap.best_run_id"] == site.children()[best.number].info.run_id


def test_a_search_by_hand_fails_at_once_and_runs_nothing_where_its_server_is_away(site: Site) -> None:
    del site.variables["FITGAP_OFFLINE"]
    answer = site.run(MISBEHAVING, *SEARCH, "hydra.sweeper.n_trials=3")
    assert answer.code == 1
    assert f"The tracking server at {site.uri} cannot be used: connection refused." in answer.words
    assert (site.begun(), left(site)) == ([], [])


@pytest.mark.slow
def test_a_search_without_its_server_is_delivered_and_reported_on_by_the_command(site: Site, server: Server) -> None:
    answer = site.run(MISBEHAVING, *SEARCH, "hydra.sweeper.n_trials=3")
    assert answer.code == 0, answer.output
    assert [trial.state for trial in site.trials()] == ["complete"] * 3
    assert "is away (connection refused)" in answer.words
    assert "Later: python -m src.deliver --outbox" in answer.words
    assert len(left(site)) == 4
    away = deliver(site)
    assert away.code == 1
    assert "4 runs are still pending" in away.words

    server.start()
    delivered = deliver(site)
    assert delivered.code == 0, delivered.output
    check_delivered(site, 3)
    assert deliver(site).output == "Nothing is pending.\n"


@pytest.mark.slow
def test_the_same_command_goes_on_with_what_another_has_begun_without_the_server(site: Site, server: Server) -> None:
    for n_trials in (1, 2):
        answer = site.run(MISBEHAVING, *SEARCH, f"hydra.sweeper.n_trials={n_trials}")
        assert answer.code == 0, answer.output
    server.start()
    answer = site.run(MISBEHAVING, *SEARCH, "hydra.sweeper.n_trials=3")
    assert answer.code == 0, answer.output
    assert "Later:" not in answer.words
    check_delivered(site, 3)


def test_a_server_that_comes_back_in_the_middle_has_all_at_the_end(site: Site, server: Server) -> None:
    site.hold()
    process = site.start(MISBEHAVING, *SEARCH, "hydra.sweeper.n_trials=3")
    site.await_begun(1)
    server.start()
    site.let_go()
    answer = site.finish(process)
    assert answer.code == 0, answer.output
    check_delivered(site, 3)


@pytest.mark.slow
def test_a_server_that_leaves_in_the_middle_is_delivered_to_by_the_next_command(site: Site, server: Server) -> None:
    server.start()
    site.hold()
    process = site.start(MISBEHAVING, *SEARCH, "hydra.sweeper.n_trials=2")
    read_until(process, "its page")
    site.await_begun(1)
    server.kill()
    site.let_go()
    answer = site.finish(process)
    assert answer.code == 0, answer.output
    assert "Later:" in answer.words
    server.start()
    assert deliver(site).code == 0
    check_delivered(site, 2)


@pytest.mark.slow
def test_a_search_killed_without_its_server_is_gone_on_with_and_leaves_nothing_running(
    site: Site, server: Server
) -> None:
    site.hold()
    process = site.start(MISBEHAVING, *SEARCH, "hydra.sweeper.n_trials=2")
    site.await_begun(1)
    site.close()
    assert process.returncode != 0
    site.let_go()
    server.start()
    answer = site.run(MISBEHAVING, *SEARCH, "hydra.sweeper.n_trials=2")
    assert answer.code == 0, answer.output
    assert left(site) == []
    check_books(site, 2)
