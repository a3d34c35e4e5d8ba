"""The beginning of a run: a new one, or that of an earlier attempt, which goes on from its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from src.comparison.selection import RETRIED_TAG
from src.config.run import RunConfig
from src.data.dataset import ImageDataset
from src.errors import TrackingError
from src.history import EPOCH_METRICS
from src.recording import describe_run
from src.tracking.run import TrackedRun, resume_run, start_run
from src.tracking.store import Store, may_be_away
from src.training.checkpoint import Checkpoint, CheckpointFile, UnusableCheckpointError, describe_training


@dataclass(frozen=True)
class Beginning:
    """How a run begins.

    Attributes:
        run: The run.
        is_new: Whether it was made just now, so that it has neither params nor inputs.
        checkpoint: Where its training goes on; None where it begins with the first epoch.
        last_epoch: The last epoch that the run has already.
    """

    run: TrackedRun
    is_new: bool = True
    checkpoint: Checkpoint | None = None
    last_epoch: int = 0


def open_checkpoints(
    config: RunConfig, dataset: ImageDataset, precision: str, path: Path | None
) -> CheckpointFile | None:
    """Returns the file for a training's checkpoints; None where it shall have none."""
    if path is None or config.trainer.checkpoint_epochs is None:
        return None
    return CheckpointFile(path, describe_training(config, dataset, precision))


def find_checkpoint(file: CheckpointFile | None, console: Console) -> Checkpoint | None:
    """Returns the checkpoint that an earlier attempt has left; None, and a warning, for one that is of no use."""
    if file is None:
        return None
    try:
        return file.read()
    except UnusableCheckpointError as error:
        console.print(f"{error} The training begins with the first epoch.", style="yellow")
        return None


def open_run(store: Store, config: RunConfig, name: str, checkpoint: Checkpoint | None, console: Console) -> Beginning:
    """Begins the run of a training, or goes on with that of a checkpoint.

    Where that run cannot be had, as the store is away or somebody has deleted it, a new one gets all epochs.

    Raises:
        TrackingError: A new run cannot be started.
    """
    tags, parent_run_id = describe_run(config), config.tracking.parent_run_id
    if checkpoint is not None:
        try:
            return _resume(store, config, name, checkpoint, tags)
        except TrackingError as error:
            console.print(f"{error} The training goes on from its checkpoint, in a new run.", style="yellow")
            tags |= _describe_resumption(checkpoint)
    run = start_run(
        store,
        name=name,
        tags=tags,
        parent_run_id=parent_run_id,
        system_metrics=config.tracking.system_metrics,
        # Of a sweep, the store was found good or may be away: the run is recorded, and created there later.
        defer=parent_run_id is not None or may_be_away(config.tracking),
    )
    return Beginning(run, checkpoint=checkpoint)


def _resume(store: Store, config: RunConfig, name: str, checkpoint: Checkpoint, tags: dict[str, str]) -> Beginning:
    # A trial's can be gone on with while the store is away: what is logged to it is delivered later.
    run = resume_run(store, checkpoint.run_id, name=name, defer=config.tracking.parent_run_id is not None)
    run.name = name
    try:
        # The last metric of an epoch's in a request that was broken off.
        last_epoch = run.find_last_step(EPOCH_METRICS[-1])
    except TrackingError:
        # The epochs of a checkpoint were logged before it was written.
        last_epoch = len(checkpoint.state.history)
    # It is another trial to its study, and no failure any more.
    tags |= {"mlflow.runName": name, "fitgap.error": "", RETRIED_TAG: "false", **_describe_resumption(checkpoint)}
    if config.tracking.parent_run_id is not None:
        tags["mlflow.parentRunId"] = config.tracking.parent_run_id
    run.set_tags(tags)
    if config.tracking.system_metrics:
        run.monitor_system(resumed=True)
    return Beginning(run, is_new=False, checkpoint=checkpoint, last_epoch=last_epoch)


def _describe_resumption(checkpoint: Checkpoint) -> dict[str, str]:
    return {"fitgap.resumed_after_epoch": str(len(checkpoint.state.history))}
