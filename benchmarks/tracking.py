"""Claim: a tracked run takes at most 3 % longer than a bare Keras loop over the same images, on epochs of 5 s.

    python -m benchmarks.tracking

Both train recipe A1's network on 1,000 made-up images of 150 x 150 pixels in batches of 100, with the same evaluation
of 250 training and 500 validation images after every epoch. One is Keras's `fit` on a tf.data pipeline over images in
memory, autotune off, with nothing but that evaluation; the other is fitgap's `Training` with console, metrics to a real
SQLite store, the check for NaN after every step and the best epoch's weights kept. They take turns; the first epoch of
each turn, which traces the graph, is not counted.
"""

from __future__ import annotations

import io
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from src.runtime import begin_run, load_tensorflow

load_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from rich.console import Console  # noqa: E402

from benchmarks.measurement import describe_machine, interleave, print_table, ratio  # noqa: E402
from src.config.augmentation import AugmentationConfig  # noqa: E402
from src.config.dataset import DatasetConfig  # noqa: E402
from src.config.model import CnnConfig  # noqa: E402
from src.config.optimizer import AdamConfig  # noqa: E402
from src.config.run import RunConfig  # noqa: E402
from src.config.tracking import TrackingConfig  # noqa: E402
from src.config.trainer import TrainerConfig  # noqa: E402
from src.console import TrainingConsole  # noqa: E402
from src.data.dataset import ImageDataset  # noqa: E402
from src.data.split import Split  # noqa: E402
from src.models.build import build_network  # noqa: E402
from src.recording import EpochTracker  # noqa: E402
from src.tracking.run import start_run  # noqa: E402
from src.tracking.store import Store, open_store  # noqa: E402
from src.training.training import Training  # noqa: E402

IMAGE_SIZE, TRAIN, TRAIN_EVAL, VAL = 150, 1000, 250, 500
COUNTED_EPOCHS, ROUNDS = 3, 5

CONFIG = RunConfig(
    dataset=DatasetConfig(name="made up", image_size=IMAGE_SIZE, cache_dir="unused"),
    augmentation=AugmentationConfig(name="none", strength=0.0),
    model=CnnConfig(name="A1", scaling="unit", conv_filters=[32, 64, 128, 128], dense_units=[512]),
    optimizer=AdamConfig(name="adam"),
    trainer=TrainerConfig(epochs=COUNTED_EPOCHS + 1, batch_size=100, precision="float32"),
)


class Stopwatch:
    """Notes when each epoch ended."""

    def __init__(self) -> None:
        """Starts without times."""
        self.ends: list[float] = []

    def note(self) -> None:
        """Notes that an epoch has ended now."""
        self.ends.append(time.perf_counter())

    def seconds_per_epoch(self) -> float:
        """Returns the mean over all epochs but the first, which compiles."""
        return (self.ends[-1] - self.ends[0]) / (len(self.ends) - 1)


class Evaluator(keras.callbacks.Callback):
    """Evaluates two splits after every epoch, as a person would write it, and notes when that was done."""

    def __init__(self, dataset: ImageDataset, stopwatch: Stopwatch) -> None:
        """Takes the data set to evaluate on."""
        super().__init__()
        self.parts = [build_batches(split, shuffle=False) for split in (dataset.train_eval, dataset.val)]
        self.stopwatch = stopwatch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Evaluates."""
        for batches in self.parts:
            self.model.evaluate(batches, verbose=0)
        self.stopwatch.note()


def main() -> None:
    """Measures both in turns and prints seconds per epoch and the overhead."""
    dataset = make_dataset()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(TrackingConfig(uri=f"sqlite:///{Path(folder) / 'mlflow.db'}"), Path(folder))
        candidates = {
            "bare Keras fit": lambda: train_bare(dataset),
            "fitgap, tracked": lambda: train_tracked(dataset, store),
        }
        figures = interleave(candidates, ROUNDS)
    bare = figures["bare Keras fit"]
    print(describe_machine(["tensorflow", "keras", "mlflow"]))
    print(f"{ROUNDS} rounds of {COUNTED_EPOCHS} epochs, {TRAIN} training images an epoch, float32\n")
    print_table(
        [
            ("recipe A1's network", "seconds per epoch", "times the bare loop"),
            *((name, f"{statistics.median(times):.2f}", str(ratio(times, bare))) for name, times in figures.items()),
        ]
    )


def train_bare(dataset: ImageDataset) -> float:
    """Returns seconds per epoch of Keras's `fit` with the same network."""
    begin_run(seed=0, precision="float32", deterministic=False)
    network, stopwatch = build_network(CONFIG.model, IMAGE_SIZE, 2).model, Stopwatch()
    network.compile(
        optimizer="adam",
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    network.fit(
        build_batches(dataset.train, shuffle=True),
        epochs=CONFIG.trainer.epochs,
        callbacks=[Evaluator(dataset, stopwatch)],
        verbose=0,
    )
    return stopwatch.seconds_per_epoch()


def build_batches(split: Split, *, shuffle: bool) -> tf.data.Dataset:
    """Returns batches of images in memory; without autotune, whose stalls are another matter."""
    images = tf.data.Dataset.from_tensor_slices((split.load(), split.labels))
    options = tf.data.Options()
    options.autotune.enabled = False
    return (images.shuffle(len(split)) if shuffle else images).batch(100).prefetch(2).with_options(options)


def train_tracked(dataset: ImageDataset, store: Store) -> float:
    """Returns seconds per epoch of a `Training` with everything that watches it in a run."""
    training = start_training(dataset)
    run = start_run(store, name="benchmark", tags={})
    clock = EpochClock()
    console = TrainingConsole(Console(file=io.StringIO()), CONFIG.trainer.epochs)
    training.execute([console, EpochTracker(run), clock])
    run.finish()
    return clock.seconds_per_epoch()


class EpochClock:
    """The stopwatch as a `TrainingObserver`."""

    def __init__(self) -> None:
        """Starts without times."""
        self._stopwatch = Stopwatch()

    def on_resume(self, history: object) -> None:
        """Notes nothing."""

    def on_step(self, step: object) -> None:
        """Notes nothing."""

    def on_epoch(self, epoch: object) -> None:
        """Notes the time."""
        self._stopwatch.note()

    def should_stop(self, history: object) -> bool:
        """Never asks for an end."""
        return False

    def seconds_per_epoch(self) -> float:
        """Returns the mean over all epochs but the first."""
        return self._stopwatch.seconds_per_epoch()


def start_training(dataset: ImageDataset) -> Training:
    """Returns a compiled training of the network."""
    begin_run(seed=0, precision="float32", deterministic=False)
    return Training(CONFIG, dataset, build_network(CONFIG.model, IMAGE_SIZE, 2), precision="float32")


def make_dataset() -> ImageDataset:
    """Returns noise with two classes: what the images show has no influence on how long a step takes."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (TRAIN + VAL, IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    labels = generator.integers(0, 2, len(images)).astype(np.int32)

    def split(name: str, start: int, stop: int) -> Split:
        return Split(name=name, images=images, indices=np.arange(start, stop), labels=labels[start:stop])

    return ImageDataset(
        name="made up",
        image_size=IMAGE_SIZE,
        class_names=("a", "b"),
        train=split("train", 0, TRAIN),
        train_eval=split("train_eval", 0, TRAIN_EVAL),
        val=split("val", TRAIN, TRAIN + VAL),
        test=split("test", 0, 0),
        file_names=tuple(str(number) for number in range(len(images))),
        bad_files=(),
        source="made up",
        images_digest="made up",
        fingerprint="made up",
    )


if __name__ == "__main__":
    main()
