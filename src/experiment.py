"""One tracked training, whole: data, network, training, measurements, pictures, model."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from src.analysis.diagnosis import Diagnosis
from src.analysis.overfitting import compute_metrics
from src.config.run import RunConfig
from src.console import TrainingConsole, print_facts
from src.continuation import Beginning, find_checkpoint, open_checkpoints, open_run
from src.data.dataset import ImageDataset, open_dataset
from src.ending import COMPLETE, PRUNED
from src.errors import DivergedError, StorageError
from src.history import History
from src.models.build import Network, build_classifier, build_network
from src.pictures import draw_predictions, draw_previews
from src.recording import (
    EpochTracker,
    close_run,
    diagnose_training,
    log_classifier,
    log_files,
    log_history,
    log_inputs,
)
from src.runtime import begin_run, choose_precision
from src.tracking.reconciliation import reconcile
from src.tracking.run import TrackedRun
from src.tracking.store import open_store
from src.training.checkpoint import Checkpointer, CheckpointFile, UnusableCheckpointError
from src.training.features import FeaturePlan, plan_features, prepare_features
from src.training.keeper import ProgramKeeper, describe_shape
from src.training.progress import TrainingObserver
from src.training.training import Training

#: What one trial leaves to the next one in the same process.
_KEEPER = ProgramKeeper()


@dataclass(frozen=True)
class RunResult:
    """What one training came to.

    Attributes:
        run_id: Its run in the tracking store.
        name: The run's name.
        history: Its epochs.
        metrics: All that it came to: the last epoch's metrics and those of the whole run, such as `best_val_accuracy`.
        seconds: Wall time from the opened data set to the closed run.
        state: `complete`, or `pruned` where an observer ended it early.
    """

    run_id: str
    name: str
    history: History
    metrics: dict[str, float]
    seconds: float
    state: str = COMPLETE


def execute_run(
    config: RunConfig,
    output_dir: Path,
    *,
    name: str,
    console: Console,
    observers: Sequence[TrainingObserver] = (),
    on_run: Callable[[str], None] | None = None,
    wants_model: Callable[[dict[str, float]], bool] | None = None,
    checkpoint: Path | None = None,
) -> RunResult:
    """Trains one network as configured and records everything about it.

    Whatever ends the training early, all that was measured until then is recorded, and the run is closed in the state
    that says why. One that an observer ended is pruned: it keeps its curves, but needs neither predictions nor a model.

    Args:
        config: The whole configuration.
        output_dir: Existing folder for the files that are recorded.
        name: The run's name.
        console: Where the person who started it looks.
        observers: Who else follows the training, and may end it.
        on_run: Is told the run's id as soon as there is one, and again should the store have given it another since.
        checkpoint: File for the training's checkpoints. Where an earlier attempt has left one there, the training goes
            on from it, and so does its run.
        wants_model: Says from the final metrics whether anybody will want the model, which costs time and disk.

    Raises:
        FitgapError: The configuration, the data, the weights, the tracking store or the training does not allow it.
        KeyboardInterrupt: The user ended it.
    """
    store = open_store(config.tracking)
    if config.tracking.parent_run_id is None:
        reconcile(store)
    dataset = open_dataset(config.dataset)
    started = time.perf_counter()
    precision = choose_precision(config.trainer.precision)
    checkpoints = open_checkpoints(config, dataset, precision, checkpoint)
    beginning = open_run(store, config, name, find_checkpoint(checkpoints, console), console)
    run = beginning.run
    tell = on_run or (lambda run_id: None)
    first_id = run.run_id
    try:
        # In a sweep the next run need not wait until the store has this one.
        background = config.tracking.parent_run_id is not None
        with close_run(run, output_dir, console, background=background, resumed=not beginning.is_new) as ending:
            tell(first_id)
            training, metrics = _train(
                config, dataset, precision, beginning, checkpoints, output_dir, name, console, observers
            )
            if training.stopped_early_by is not None:
                ending.state = PRUNED
            elif config.tracking.log_model and (wants_model is None or wants_model(metrics)):
                log_classifier(run, build_classifier(training.network.model), dataset, output_dir, training.kept_epoch)
            diagnosis = diagnose_training(training.history, dataset)
            seconds = time.perf_counter() - started
            _print_result(console, _title_result(name, training), metrics, diagnosis, seconds)
    finally:
        if run.run_id != first_id:
            # The store was away at first, and has given the run an id of its own since.
            tell(run.run_id)
    seconds = time.perf_counter() - started
    return RunResult(run.run_id, name, training.history, metrics, seconds, ending.state)


def _train(
    config: RunConfig,
    dataset: ImageDataset,
    precision: str,
    beginning: Beginning,
    checkpoints: CheckpointFile | None,
    output_dir: Path,
    name: str,
    console: Console,
    observers: Sequence[TrainingObserver],
) -> tuple[Training, dict[str, float]]:
    run = beginning.run
    # Only the trials of a sweep follow each other in one process.
    keeper = _KEEPER if config.tracking.parent_run_id is not None else ProgramKeeper()
    keeper.release_unless(describe_shape(config, dataset, precision))
    begin_run(seed=config.seed, precision=precision, deterministic=config.trainer.deterministic)
    network = build_network(config.model, dataset.image_size, dataset.num_classes)
    plan = plan_features(config, network)
    if beginning.is_new:
        log_inputs(run, config, dataset, network, precision, plan)
    _print_start(console, name, dataset, network, precision, plan)
    for warning in filter(None, (network.weights.warning, plan.fallback_reason)):
        console.print(warning, style="yellow")
    if beginning.is_new:
        log_files(run, draw_previews(output_dir, dataset, config.augmentation, config.seed))

    features = prepare_features(config, dataset, network, plan, precision=precision)
    training = Training(config, dataset, network, precision=precision, features=features, keeper=keeper)
    if beginning.checkpoint is not None:
        try:
            training.restore(beginning.checkpoint.state)
        except UnusableCheckpointError as error:
            console.print(f"{error} The training begins with the first epoch.", style="yellow")
    checkpointer = _make_checkpointer(config, run, checkpoints, console)
    progress = TrainingConsole(console, config.trainer.epochs)
    try:
        # Recorded first, shown then: what a person has seen is in the store, also when the next thing is Ctrl-C.
        training.execute([EpochTracker(run, beginning.last_epoch), progress, *observers], checkpointer)
    except BaseException as error:
        keeper.discard()
        final = checkpoints is None or not checkpoints.path.exists() or isinstance(error, DivergedError)
        # What was measured is kept; that it cannot be written must not hide why the training ended.
        with contextlib.suppress(OSError, StorageError):
            log_history(run, training.history, dataset, output_dir, name, final=final)
        raise
    finally:
        progress.close()
    log_history(run, training.history, dataset, output_dir, name)
    metrics = compute_metrics(training.history)
    if training.stopped_early_by is not None:
        return training, metrics

    # A search must not see the test images, lest they choose the winner: only a single run measures them.
    if config.tracking.parent_run_id is None and len(dataset.test):
        test = training.evaluate(dataset.test)
        metrics |= {"test_accuracy": test.accuracy, "test_loss": test.loss}
        run.log_metrics({"test_accuracy": test.accuracy, "test_loss": test.loss})
    if training.val_probabilities is not None:
        log_files(run, draw_predictions(output_dir, dataset, training.val_probabilities, name))
    return training, metrics


def _make_checkpointer(
    config: RunConfig, run: TrackedRun, file: CheckpointFile | None, console: Console
) -> Checkpointer | None:
    every = config.trainer.checkpoint_epochs
    if file is None or every is None:
        return None
    return Checkpointer(file, every, name_run=lambda: run.run_id, warn=lambda text: console.print(text, style="yellow"))


def _print_start(
    console: Console, name: str, dataset: ImageDataset, network: Network, precision: str, plan: FeaturePlan
) -> None:
    splits = f"{len(dataset.train):,} train, {len(dataset.val):,} val, {len(dataset.test):,} test"
    facts = [
        ("data", f"{dataset.name}: {splits}, {dataset.num_classes} classes, {dataset.image_size} pixels"),
        ("chance", f"{dataset.majority_class_accuracy:.3f} (accuracy of always answering the most common class)"),
        ("parameters", f"{network.num_params:,}, {network.num_trainable_params:,} of them trained"),
        ("precision", precision),
    ]
    if plan.kind != "in_the_loop":
        views = f", of {plan.num_views} augmented views of each training image" if plan.num_views else ""
        facts.append(("features", f"computed once and kept on disk{views}"))
    print_facts(console, name, facts)
    console.print()


def _title_result(name: str, training: Training) -> str:
    if training.stopped_early_by is None:
        return name
    return f"{name}: pruned at epoch {len(training.history)} of {training.config.trainer.epochs}"


def _print_result(
    console: Console, title: str, metrics: dict[str, float], diagnosis: Diagnosis, seconds: float
) -> None:
    facts = [
        ("best val accuracy", f"{metrics['best_val_accuracy']:.3f} at epoch {metrics['best_epoch']:.0f}"),
        ("final gap", f"{metrics['final_gap_accuracy']:+.3f} accuracy, {metrics['final_gap_loss']:+.4f} loss"),
        ("diagnosis", f"{diagnosis.verdict}. {diagnosis.reason}"),
    ]
    if "test_accuracy" in metrics:
        facts.append(("test accuracy", f"{metrics['test_accuracy']:.3f}"))
    print_facts(console, title, [*facts, ("time", f"{seconds:.0f} s")])
