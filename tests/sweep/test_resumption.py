"""Long trials of a real search that is killed and interrupted: they go on from their checkpoints."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from src.history import EPOCH_METRICS
from src.study.ticket import CHECKPOINTS
from tests.sweep.site import Site, check_books, wait_until
from tests.tiny import TINY

EPOCHS = 150

LONG = (
    *TINY,
    f"trainer.epochs={EPOCHS}",
    "trainer.checkpoint_epochs=1",
    "trainer.batch_size=8",
    "tracking.log_model=false",
    "model.dropout=choice(0.3)",
    "optimizer.learning_rate=0.0005",
    "hydra.sweeper.sampler=grid",
    "hydra.sweeper.n_trials=1",
    "hydra.sweeper.pruner=none",
)


@pytest.fixture
def site(tmp_path: Path, migrated_database: Path) -> Iterator[Site]:
    site = Site(tmp_path, migrated_database)
    yield site
    site.close()


def await_checkpoint(site: Site, process: subprocess.Popen[str], after: float) -> None:
    """Waits until a checkpoint lies there that is younger than a moment."""

    def is_there() -> bool:
        assert process.poll() is None, process.communicate()[0]
        return any(path.stat().st_mtime > after for path in (site.folder / "output").rglob(CHECKPOINTS))

    wait_until(is_there, "a checkpoint is written")


def curves(site: Site, run_id: str) -> dict[str, list[tuple[int, float]]]:
    """Every point of an epoch's metrics that a run has, in the order of the epochs."""
    client, keys = MlflowClient(site.uri), [key for key in EPOCH_METRICS if key != "epoch_seconds"]
    return {key: sorted((point.step, point.value) for point in client.get_metric_history(run_id, key)) for key in keys}


@pytest.mark.slow
def test_a_trial_that_is_killed_and_interrupted_comes_in_one_run_to_what_it_would_have_come_to(site: Site) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    print(f"seed {seed}")
    for number in (signal.SIGKILL, signal.SIGTERM):
        begun = time.time()
        process = site.train(*LONG)
        await_checkpoint(site, process, after=begun)
        time.sleep(chance.random())
        (os.killpg if number == signal.SIGKILL else os.kill)(process.pid, number)
        process.communicate()
    answer = site.finish(site.train(*LONG))
    assert answer.code == 0, answer.output
    check_books(site, 1)
    assert [trial.state for trial in site.trials()] == ["lost", "interrupted", "complete"]
    (broken,) = site.children()
    assert {trial.run_id for trial in site.trials()} == {broken.info.run_id}
    assert broken.info.status == "FINISHED"
    assert 1 < int(broken.data.tags["fitgap.resumed_after_epoch"]) < EPOCHS
    assert [*(site.folder / "output").rglob(CHECKPOINTS)] == []

    (site.folder / "undisturbed").mkdir()
    undisturbed = Site(site.folder / "undisturbed", None)
    answer = undisturbed.finish(undisturbed.train(*LONG))
    assert answer.code == 0, answer.output
    (whole,) = undisturbed.children()
    assert curves(site, broken.info.run_id) == curves(undisturbed, whole.info.run_id)
    assert [step for step, _ in curves(site, broken.info.run_id)["val_loss"]] == list(range(1, EPOCHS + 1))
