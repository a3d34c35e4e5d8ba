"""A disk that is nearly full: nothing more is started, what came of the sweep is recorded, and it goes on later."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from src.config.sweeper import SweeperConfig
from src.config.tracking import TrackingConfig
from src.errors import ConfigError
from src.sweep.application import Checked
from src.sweep.room import FullDiskError, Room, survey_room
from src.sweep.settings import to_sweeper_config
from tests.sweep.site import Site, check_books

Fill = Callable[[Callable[[Path], float]], None]


class Usage(NamedTuple):
    """What `shutil.disk_usage` answers, in bytes."""

    total: int
    used: int
    free: int


@pytest.fixture
def fill(monkeypatch: pytest.MonkeyPatch) -> Fill:
    """Has disks be as full as a function of the folder says, in 10^9 bytes that are free."""

    def set_free(free_gb: Callable[[Path], float]) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, int(free_gb(Path(path)) * 1e9)))

    return set_free


@pytest.fixture
def site(tmp_path: Path, migrated_database: Path) -> Site:
    return Site(tmp_path, migrated_database)


def test_a_disk_that_fills_up_ends_a_search_which_goes_on_once_there_is_room(site: Site, fill: Fill) -> None:
    search = ["x=interval(-5,5)", "hydra.sweeper.n_trials=4", "hydra.sweeper.min_free_gb=2"]
    fill(lambda folder: 5 if len(site.begun()) < 2 else 0.5)
    answer = site.call(*search)
    assert answer.code == 1, answer.output
    assert f"the disk of {site.folder} has 0.50 GB free, less than hydra.sweeper.min_free_gb=2" in answer.words
    assert "Make room there, as `python -m src.disk clean" in answer.words
    assert [trial.state for trial in site.trials()] == ["complete"] * 2
    parent = site.parent()
    assert (parent.info.status, parent.data.tags["fitgap.state"]) == ("KILLED", "interrupted")
    assert "0.50 GB free" in parent.data.tags["fitgap.reason"]
    assert "trials.csv" in site.artifacts(parent)

    fill(lambda folder: 5)
    answer = site.call(*search)
    assert answer.code == 0, answer.output
    check_books(site, 4)


def test_a_search_on_a_full_disk_leaves_nothing_behind(site: Site, fill: Fill) -> None:
    fill(lambda folder: 0.5)
    answer = site.call("x=interval(-5,5)", "hydra.sweeper.n_trials=2")
    assert answer.code == 1, answer.output
    assert "Nothing is started any more: the disk of" in answer.words
    assert "Traceback" not in answer.output
    assert site.begun() == []
    assert site.runs() == []
    assert not (site.folder / "optuna.db").exists()


def test_a_search_that_has_all_its_trials_does_not_complain_of_the_last_ones_disk(site: Site, fill: Fill) -> None:
    fill(lambda folder: 5 if len(site.begun()) < 2 else 0.5)
    answer = site.call("x=interval(-5,5)", "hydra.sweeper.n_trials=2")
    assert answer.code == 0, answer.output
    check_books(site, 2)


def test_a_grid_starts_no_further_cell_on_a_full_disk_and_closes_its_books(site: Site, fill: Fill) -> None:
    fill(lambda folder: 5 if not site.begun() else 0.5)
    answer = site.call("x=1,2,3")
    assert answer.code == 1, answer.output
    assert "0.50 GB free" in answer.words
    assert len(site.begun()) == 1
    parent = site.parent()
    assert (parent.info.status, parent.data.tags["fitgap.state"]) == ("FAILED", "failed")


def test_every_folder_that_a_sweep_writes_to_is_looked_at(
    tmp_path: Path, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FITGAP_OUTBOX_DIR", raising=False)
    tracking = TrackingConfig(uri=f"sqlite:///{tmp_path / 'store' / 'mlflow.db'}")
    checked = Checked(None, tracking, "digits", {}, folders=(tmp_path / "cache",))
    settings = SweeperConfig(storage="sqlite:///studies/optuna.db")
    names = ("store/mlruns", "cache", "studies", "output")
    for name in names:
        (tmp_path / name).mkdir(parents=True)
    room = survey_room(settings, [checked], tmp_path / "output", tmp_path)
    fill(lambda folder: 5)
    assert room.find_shortage() is None
    for name in names:
        fill(lambda folder, full=tmp_path / name: 0.25 if folder == full else 5)  # type: ignore[misc]
        assert f"the disk of {tmp_path / name} has 0.25 GB free" in str(room.find_shortage())


def test_the_disk_of_a_folder_to_come_is_that_of_the_next_one_above_it(tmp_path: Path, fill: Fill) -> None:
    fill(lambda folder: 0.5 if folder == tmp_path else 5)
    with pytest.raises(FullDiskError, match=r"0\.50 GB free"):
        Room([tmp_path / "not" / "there"], 1.0).check()


@pytest.mark.parametrize("floor", [None, 0.0])
def test_without_a_floor_a_full_disk_is_nobodys_business(tmp_path: Path, fill: Fill, floor: float | None) -> None:
    fill(lambda folder: 0)
    assert Room([tmp_path], floor).find_shortage() is None


def test_a_floor_below_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.min_free_gb must be at least 0, but got -1"):
        to_sweeper_config({"min_free_gb": -1})
