"""The run of a trial that is trained with several seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src.ending import COMPLETE
from src.study.outcome import Outcome
from src.study.owner import Owner
from src.sweep.recording import SeedRecorder
from src.tracking.records import RunRecord, load_run
from src.tracking.run import start_run

if TYPE_CHECKING:
    from tests.sweep.searches import Opener


def record_seeds(stage: Opener, delivered: int) -> RunRecord:
    """Records a trial of two seeds, of which the store has some, and returns its run."""
    from tests.sweep.searches import make_history

    search = stage()
    ask = search.studies[0].ask(Owner.current())
    assert ask is not None
    recorder = SeedRecorder(search.store, search.parent.run_id, "#0", search.search.arms[0].name, ask)
    run_ids = []
    for last in (0.875, 0.375)[:delivered]:
        tags = {"fitgap.kind": "run", "fitgap.state": COMPLETE}
        run = start_run(search.store, name="seed", tags=tags, parent_run_id=recorder.run_id)
        for epoch in make_history(0.25, last).epochs:
            run.log_metrics(epoch.metrics(), step=epoch.epoch)
        # It is delivered behind what follows, and is to be waited for.
        run.finish(background=True)
        run_ids.append(run.run_id)
    means = {"val_accuracy": 0.625, "best_val_accuracy": 0.625, "num_seeds": 2.0}
    recorder.finish(Outcome(COMPLETE, means, run_id=recorder.run_id), run_ids)
    return load_run(search.store, recorder.run_id)


def test_a_trial_has_the_mean_of_its_seeds_epoch_by_epoch(stage: Opener) -> None:
    record = record_seeds(stage, delivered=2)
    assert [epoch.val_accuracy for epoch in record.history.epochs] == [0.25, 0.625]
    assert record.metrics["best_val_accuracy"] == 0.625


def test_a_trial_whose_seeds_the_store_lacks_has_their_true_mean_and_no_epochs(stage: Opener) -> None:
    record = record_seeds(stage, delivered=1)
    assert (record.metrics["val_accuracy"], record.metrics["num_seeds"]) == (0.625, 2.0)
    assert not record.history.epochs
