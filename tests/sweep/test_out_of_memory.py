"""Trials that run out of memory on a GPU which they share: each is run again, once, with the GPU for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sweep.site import MISBEHAVING, Site, check_books
from tests.sweep.test_failures_end_to_end import LENIENT

MakeGpus = Callable[..., None]

WAYS = ("well", "crowded", "vast", "crowded-death")


@pytest.fixture
def site(tmp_path: Path, migrated_database: Path) -> Iterator[Site]:
    site = Site(tmp_path, migrated_database)
    yield site
    site.close()


def test_a_trial_that_ran_out_of_memory_beside_another_is_run_again_alone_and_counts_once(
    site: Site, make_gpus: MakeGpus
) -> None:
    make_gpus({}, {})
    slots = ["hydra/launcher=fitgap", "hydra.launcher.gpus=[1]", "hydra.launcher.trials_per_gpu=2"]
    answer = site.run(MISBEHAVING, f"how=choice({','.join(WAYS)})", "hydra.sweeper.sampler=grid", *slots, *LENIENT)
    assert answer.code == 0, answer.output
    check_books(site, len(WAYS))
    trials = {trial.values["how"]: trial for trial in site.trials()}
    assert {how: trial.state for how, trial in trials.items()} == {
        "well": "complete", "crowded": "complete", "vast": "oom", "crowded-death": "complete"
    }  # fmt: skip
    attempts = [note["how"] for note in site.begun()]
    assert {how: attempts.count(how) for how in WAYS} == {"well": 1, "crowded": 2, "vast": 2, "crowded-death": 2}
    runs = {run.data.params["how"]: run.data.tags for run in site.children()}
    for how, error in {
        "well": None,
        "crowded": "ResourceExhaustedError: OOM when allocating tensor",
        "vast": "ResourceExhaustedError: OOM when allocating tensor",
        "crowded-death": "; memory had run out.",
    }.items():
        told = trials[how].out_of_memory
        assert told == runs[how].get("fitgap.out_of_memory")
        assert (told is None) if error is None else (error in (told or ""))
    assert "ran out of memory with 1/2, at most 11.9 GB of GPU 1: ResourceExhaustedError" in answer.words


@pytest.mark.slow
def test_a_trial_that_waits_to_be_alone_does_not_begin_when_the_time_is_over(site: Site, make_gpus: MakeGpus) -> None:
    make_gpus({})
    slots = ["hydra/launcher=fitgap", "hydra.launcher.trials_per_gpu=2", "hydra.sweeper.sampler=grid"]
    times = ["hydra.sweeper.timeout=1", "hydra.sweeper.trial_timeout=6"]
    answer = site.run(MISBEHAVING, "how=choice(hang,crowded)", *slots, *times, *LENIENT)
    assert answer.code == 0, answer.output
    assert sorted(note["how"] for note in site.begun()) == ["crowded", "hang"]
    states = {trial.values["how"]: trial.state for trial in site.trials() if trial.state != "waiting"}
    assert states == {"hang": "timeout", "crowded": "interrupted"}
