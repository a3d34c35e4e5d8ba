"""What a run records of itself: tags, params, inputs, epochs, files, model, and the state in which it ended."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import keras
from rich.console import Console

from src.alarm import silence_alarm
from src.analysis.diagnosis import Diagnosis, diagnose
from src.analysis.overfitting import compute_summary
from src.closing import print_closing
from src.config.composition import flatten, to_yaml
from src.config.run import RunConfig
from src.data.dataset import ImageDataset
from src.ending import COMPLETE, FAILED, INTERRUPTED, PRUNED, STATUSES, describe_exception, name_state
from src.gpus.own import describe_own
from src.history import EpochMetrics, History
from src.models.build import Network
from src.pictures import draw_curves
from src.runtime import count_threads, gpu_name
from src.tracking.facts import describe_environment
from src.tracking.model import save_model
from src.tracking.run import TrackedRun
from src.training.features import FeaturePlan
from src.training.progress import Step

#: Folder in a run's output in which the model waits for its delivery.
MODEL_FOLDER = "model"


class EpochTracker:
    """Logs every epoch to a run; a `TrainingObserver`."""

    def __init__(self, run: TrackedRun, last_epoch: int = 0) -> None:
        """Takes the run to log to, and the last epoch that it has already."""
        self.run = run
        self.last_epoch = last_epoch

    def on_resume(self, history: History) -> None:
        """Logs those of the earlier epochs that the run does not have."""
        for epoch in history.epochs:
            self.on_epoch(epoch)

    def on_step(self, step: Step) -> None:
        """Logs nothing: a step is no measurement."""

    def on_epoch(self, epoch: EpochMetrics) -> None:
        """Logs the epoch's metrics, unless the run has them: of an epoch that ended after the last checkpoint."""
        if epoch.epoch > self.last_epoch:
            self.run.log_metrics(epoch.metrics(), step=epoch.epoch)

    def should_stop(self, history: History) -> bool:
        """Never asks for an end."""
        return False


def describe_run(config: RunConfig) -> dict[str, str]:
    """Returns the tags of a training run: what it is, where it ran, on which code."""
    tracking = config.tracking
    tags = {
        **describe_environment(),
        **tracking.tags,
        "fitgap.kind": tracking.kind or ("trial" if tracking.parent_run_id else "run"),
        "fitgap.state": "running",
        "fitgap.gpu": gpu_name() or "none",
        **describe_own(),
        # On another number of threads the same training differs.
        "fitgap.threads": str(count_threads()),
    }
    if tracking.arm is not None:
        tags["fitgap.arm"] = tracking.arm
    if tracking.trial_number is not None:
        tags["fitgap.trial_number"] = str(tracking.trial_number)
    return tags


def log_inputs(
    run: TrackedRun, config: RunConfig, dataset: ImageDataset, network: Network, precision: str, plan: FeaturePlan
) -> None:
    """Logs the resolved configuration, the data set, and what became of both."""
    params = {key: value for key, value in flatten(config).items() if not key.startswith("tracking.")}
    run.log_params(
        {
            **params,
            "num_params": network.num_params,
            "num_trainable_params": network.num_trainable_params,
            "num_train_examples": len(dataset.train),
            "num_classes": dataset.num_classes,
            "majority_class_accuracy": f"{dataset.majority_class_accuracy:.4f}",
            "weights_source": network.weights.source,
            "precision": precision,
            "features": plan.kind,
        }
    )
    if network.weights.fallback_reason:
        run.set_tags({"fitgap.weights_fallback": network.weights.fallback_reason})
    if plan.fallback_reason:
        run.set_tags({"fitgap.features_fallback": plan.fallback_reason})
    # Whoever runs this file again wants the training, not its place in a sweep that is long over.
    tracking = replace(config.tracking, parent_run_id=None, experiment_id=None, kind=None, arm=None, trial_number=None)
    run.log_text(to_yaml(replace(config, tracking=tracking)), "config.yaml")
    splits = (dataset.train, dataset.train_eval, dataset.val, dataset.test)
    profile = {split.name: dataset.class_counts(split) for split in splits}
    run.log_dataset(
        name=dataset.name,
        source=dataset.source,
        digest=dataset.fingerprint,
        profile={**profile, "image_size": dataset.image_size, "bad_files": list(dataset.bad_files)},
    )


def log_files(run: TrackedRun, paths: Iterable[Path]) -> None:
    """Logs files as artifacts under their own names."""
    for path in paths:
        run.log_artifact(path)


def log_history(
    run: TrackedRun, history: History, dataset: ImageDataset, folder: Path, name: str, *, final: bool = True
) -> None:
    """Logs the epochs as a table and as curves, the once-per-run metrics, and the diagnosis; nothing without epochs.

    Args:
        run: The run.
        history: Its epochs.
        dataset: The images.
        folder: Where to write files.
        name: Name of the run.
        final: Whether these are all: a metric cannot be taken back, and where validation loss has turned for good is
            not known of a training that goes on.
    """
    if not history:
        return
    metrics = compute_summary(history)
    run.log_metrics({key: value for key, value in metrics.items() if final or key != "overfit_epoch"})
    diagnosis = diagnose_training(history, dataset)
    run.set_tags({"fitgap.verdict": str(diagnosis.verdict), "fitgap.diagnosis": diagnosis.reason})
    path = folder / "history.csv"
    history.write_csv(path)
    log_files(run, [path, draw_curves(folder, history, name, metrics.get("overfit_epoch"))])


def diagnose_training(history: History, dataset: ImageDataset) -> Diagnosis:
    """Returns the diagnosis of a history with at least one epoch, in view of how many images were measured."""
    return diagnose(
        history,
        chance=dataset.majority_class_accuracy,
        num_train_eval=len(dataset.train_eval),
        num_val=len(dataset.val),
    )


def log_classifier(run: TrackedRun, classifier: keras.Model, dataset: ImageDataset, folder: Path, epoch: int) -> None:
    """Logs the classifier of raw images as the run's model, with the epoch whose weights it has."""
    path = folder / MODEL_FOLDER
    save_model(classifier, path, image_size=dataset.image_size, class_names=dataset.class_names)
    # A second copy would double what a model costs on disk.
    run.log_model(path, step=epoch, move=True)


@dataclass
class Ending:
    """How a run ends, as far as the run itself can say.

    Attributes:
        state: Its state, unless an exception ends it.
    """

    state: str = COMPLETE


@contextmanager
def close_run(
    run: TrackedRun, folder: Path, console: Console, *, background: bool = False, resumed: bool = False
) -> Iterator[Ending]:
    """Closes a run in the state that says how the block ended, and tells where it can be found.

    The block may set the state of what it is given. The traceback of an exception becomes an artifact. Whatever goes
    wrong on the way, the run is closed, and a trial whose time is up just then is closed all the same.

    Args:
        run: The run.
        folder: Folder of the files that it has recorded.
        console: Where the person who started it looks.
        background: Whether the store may get the end later than this returns; see `TrackedRun.finish`.
        resumed: Whether it is that of an earlier attempt, whose process may have been found dead by several others.
    """
    ending, state = Ending(), FAILED
    try:
        yield ending
        silence_alarm()
        state = ending.state
    except BaseException as error:
        silence_alarm()
        state = name_state(error)
        if state != PRUNED:
            run.set_tags({"fitgap.error": describe_exception(error)})
        if state not in (INTERRUPTED, PRUNED):
            # As text, which needs no file of ours: a full disk may be the very error.
            run.log_text("".join(traceback.format_exception(error)), "traceback.txt")
        raise
    finally:
        # The error of an earlier attempt may have been recorded late.
        run.set_tags({"fitgap.state": state, **({"fitgap.error": ""} if resumed and state == COMPLETE else {})})
        delivery = run.finish(STATUSES[state], background=background)
        if delivery.delivered:
            # Where the model could not be moved into the journal: the store has a copy of its own.
            shutil.rmtree(folder / MODEL_FOLDER, ignore_errors=True)
        print_closing(console, f"{run.name}: {state}", run, delivery)
