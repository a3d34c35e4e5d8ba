"""A signal while a sweep is reported on: its books are closed wherever that was, and nothing keeps it waiting."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sweep.site import APPS, Site, check_books, wait_until

MEASURED = APPS / "measured.py"
SEARCH = ("x=interval(-5,5)", "hydra.sweeper.n_trials=2", "hydra.sweeper.pruner=none")
GRID = ("x=1,3", "hydra/launcher=basic")


@pytest.fixture
def site(tmp_path: Path, migrated_database: Path) -> Iterator[Site]:
    site = Site(tmp_path, migrated_database)
    yield site
    site.close()


def start(site: Site, place: str, *command: str, monkeypatch: pytest.MonkeyPatch) -> subprocess.Popen[str]:
    """Starts a sweep, and returns once it has come to a place of its end, where it waits."""
    monkeypatch.setenv("STOP_AT", place)
    site.hold()
    process = site.start(MEASURED, *command)
    wait_until(lambda: (site.folder / "there").exists() or process.poll() is not None, f"the sweep has come to {place}")
    assert process.poll() is None, process.communicate()[0]
    return process


@pytest.mark.parametrize("launcher", ["fitgap", pytest.param("basic", marks=pytest.mark.slow)])
def test_a_shutdown_does_not_wait_for_test_scores_and_the_next_start_adds_them(
    launcher: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (*SEARCH, f"hydra/launcher={launcher}")
    process = start(site, "measure_test", *command, monkeypatch=monkeypatch)
    process.terminate()
    # It is held for good, so that it can only end without the scores.
    answer = site.finish(process)
    assert answer.code == 143, answer.output
    assert "test scores and plots may be missing" in answer.words
    check_books(site, 2)
    parent = site.parent()
    assert (parent.info.status, parent.data.tags["fitgap.state"]) == ("FINISHED", "complete")
    assert {"report.html", "comparison.csv", "trials.csv"} <= site.artifacts(parent)
    assert "test_accuracy" not in parent.data.metrics

    site.let_go()
    answer = site.run(MEASURED, *command)
    assert answer.code == 0, answer.output
    check_books(site, 2)
    assert (site.parent().info.run_id, site.parent().data.metrics["test_accuracy"]) == (parent.info.run_id, 0.5)


@pytest.mark.parametrize(
    "place",
    [
        "conclusion.draw_plots",
        pytest.param("conclusion.write_trials", marks=pytest.mark.slow),
        "conclusion.build_report",
        pytest.param("conclusion.record_report", marks=pytest.mark.slow),
        "finale.end",
    ],
)
def test_a_shutdown_finds_a_report_and_closed_books_wherever_the_end_of_a_search_was(
    place: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start(site, place, *SEARCH, monkeypatch=monkeypatch)
    # Who shuts a machine down may tell each process, and a process may pass it on.
    process.terminate()
    process.terminate()
    site.let_go()
    answer = site.finish(process)
    assert answer.code == 143, answer.output
    assert "Traceback" not in answer.output
    check_books(site, 2)
    parent = site.parent()
    assert (parent.info.status, parent.data.tags["fitgap.state"]) == ("FINISHED", "complete")
    assert {"report.html", "comparison.csv", "trials.csv", "winner.yaml"} <= site.artifacts(parent)


@pytest.mark.parametrize(
    "place", [pytest.param("sweep.settle_models", marks=pytest.mark.slow), "sweep.build_report", "finale.end"]
)
def test_a_shutdown_finds_a_report_and_closed_books_of_a_grid(
    place: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start(site, place, *GRID, monkeypatch=monkeypatch)
    process.terminate()
    site.let_go()
    answer = site.finish(process)
    assert answer.code == 143, answer.output
    parent = site.parent()
    assert {run.info.status for run in site.runs()} == {"FINISHED"}
    assert {"report.html", "comparison.csv"} <= site.artifacts(parent)


@pytest.mark.slow
def test_ctrl_c_is_no_different(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    process = start(site, "conclusion.build_report", *SEARCH, monkeypatch=monkeypatch)
    process.send_signal(signal.SIGINT)
    site.let_go()
    answer = site.finish(process)
    assert answer.code == 130, answer.output
    assert "report.html" in site.artifacts(site.parent())
