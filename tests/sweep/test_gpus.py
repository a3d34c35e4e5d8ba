"""Sweeps by hand on GPUs that scheduled sweeps want, or have; no GPU is there, but its name is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from src.claims import Claim, ClaimBook
from src.occupancy import claims_folder
from src.sweep.launching import find_used_gpus
from tests.sweep.site import MISBEHAVING, Site

SEARCH = ("x=interval(-5,5)", "hydra/launcher=fitgap", "hydra.sweeper.n_trials=1", "hydra.sweeper.pruner=none")


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two GPUs, and claims of the test's own."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("FITGAP_CLAIMS_DIR", str(tmp_path / "claims"))


@pytest.fixture
def site(tmp_path: Path, migrated_database: Path) -> Iterator[Site]:
    site = Site(tmp_path, migrated_database)
    yield site
    site.close()


@pytest.fixture
def taken() -> Iterator[Claim]:
    """A scheduled sweep has GPU 1."""
    book = ClaimBook(claims_folder())
    held = book.place(Claim("nightly", "/there", ("1",)))
    assert book.grant(held, [], "2026-11-27T06:30:00+01:00") == []
    yield held.claim
    book.release(held)


def test_a_scheduled_sweep_waits_for_a_search_by_hand_as_long_as_that_runs(site: Site) -> None:
    site.hold()
    process = site.start(MISBEHAVING, *SEARCH, "hydra.sweeper.until='2099-01-02 06:30'")
    site.await_begun(1)
    book = ClaimBook(claims_folder())
    scheduled, elsewhere = book.place(Claim("nightly", "/here", ("1",))), book.place(Claim("weekly", "/here", ("2",)))
    assert book.grant(elsewhere, [], None) == []
    (claim,) = book.grant(scheduled, [], None)
    assert (claim.sweep, claim.pid, claim.name_devices()) == ("misbehaving by hand", process.pid, "GPU 0, 1")
    assert claim.describe().endswith(", until 2099-01-02 06:30)")
    site.let_go()
    answer = site.finish(process)
    assert answer.code == 0, answer.output
    assert book.grant(scheduled, [], None) == []


def test_a_search_by_hand_stops_at_once_where_a_scheduled_sweep_has_a_gpu_and_says_what_to_do(
    taken: Claim, site: Site
) -> None:
    answer = site.run(MISBEHAVING, *SEARCH)
    assert answer.code == 1
    assert "Traceback" not in answer.output
    assert "would use GPU 0, 1, but scheduled sweeps have, or wait for:" in answer.words
    assert f"GPU 1: nightly of /there (process {os.getpid()} on " in answer.words
    assert ", until 2026-11-27 06:30)" in answer.words
    assert "hydra.launcher.gpus=[…]" in answer.words
    assert "python -m src.schedule status" in answer.words
    assert site.begun() == []
    assert [claim.sweep for claim in ClaimBook(claims_folder()).read()] == ["nightly"]

    answer = site.run(MISBEHAVING, *SEARCH, "hydra.launcher.gpus=[0]")
    assert answer.code == 0, answer.output


def test_a_gpu_that_is_taken_is_so_by_every_name(taken: Claim, site: Site, make_gpus: Callable[..., None]) -> None:
    make_gpus({"uuid": "GPU-aa"}, {"uuid": "GPU-bb"})
    answer = site.run(MISBEHAVING, *SEARCH, "hydra.launcher.gpus=[GPU-bb]")
    assert answer.code == 1
    assert "would use GPU 1, but scheduled sweeps have, or wait for: GPU 1: nightly of /there" in answer.words


def test_a_grid_uses_all_gpus_that_it_can_see(taken: Claim, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = site.run(MISBEHAVING, "x=1,2")
    assert answer.code == 1
    assert "CUDA_VISIBLE_DEVICES=…" in answer.words
    assert site.begun() == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    answer = site.run(MISBEHAVING, "x=1,2")
    assert answer.code == 0, answer.output


def test_a_dry_run_and_a_machine_without_gpus_claim_nothing(
    taken: Claim, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = site.run(MISBEHAVING, *SEARCH, "hydra.sweeper.dry_run=true")
    assert answer.code == 0, answer.output
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("FITGAP_CLAIMS_DIR", str(site.folder / "untouched"))
    answer = site.run(MISBEHAVING, "x=1,2")
    assert answer.code == 0, answer.output
    assert not (site.folder / "untouched").exists()


@pytest.mark.parametrize(
    ("launcher", "used"),
    [
        ({"_target_": "a.FitgapLauncher", "gpus": "auto", "n_jobs": "auto"}, ["0", "1"]),
        ({"_target_": "a.FitgapLauncher", "gpus": "auto", "n_jobs": 1}, ["0"]),
        ({"_target_": "a.FitgapLauncher", "gpus": [7, "GPU-5"], "n_jobs": 4}, ["7", "GPU-5"]),
        ({"_target_": "a.FitgapLauncher", "gpus": [], "n_jobs": "auto"}, []),
        ({"_target_": "a.JoblibLauncher", "n_jobs": 2}, ["0", "1"]),
        ({"_target_": "a.LocalLauncher"}, ["0", "1"]),
        ({"_target_": "a.SlurmLauncher"}, []),
    ],
    ids=["all", "fewer jobs", "a list", "none", "joblib", "submitit here", "a cluster"],
)
def test_what_is_claimed_is_what_jobs_use_of_this_machine(launcher: dict[str, object], used: list[str]) -> None:
    assert find_used_gpus(OmegaConf.create({"hydra": {"launcher": launcher}})) == used
