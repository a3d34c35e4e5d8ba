"""Claim: training batches come at least 5 times as fast as the fastest network of the recipes takes them.

    python -m benchmarks.pipeline
    python -m benchmarks.pipeline --images 500 --rounds 1

What a network takes is measured first: the training steps of each recipe whose network sees the images themselves, on
one batch that is in memory already, in the precision of this machine. The fastest of them, by images per second, is
what all else is held against: two or three small convolutions. Recipes that share a network are measured once; those
behind VGG16 or MobileNetV2, with many times the weights, are left out. Recipe C4, whose head is trained on features of
8,192 numbers that are computed once, is held against its own step, and so are the embedded digits against the default
network's.

The batches that take turns are

- fitgap's: gathered in a new order each epoch from a memory-mapped cache, on the way that training takes them; for the
  recipe's images also with the warp of recipe E2, which is in front of the network and a part of its step,
- the rivals, on the same images as JPEGs and without augmentation: Keras's `image_dataset_from_directory(…)` with
  `.cache().shuffle(…).prefetch(…)` behind it, when the cache is full; and the old
  `ImageDataGenerator.flow_from_directory`, which decodes in every epoch.

Keras's cache holds floats, four times the memory, of each process. As the tutorials write it, it holds whole batches:
the same images are together in every epoch, and a batch is handed over without being copied, which nothing can beat.
With `batch_size=None` before the cache and `.batch(…)` behind it, images are shuffled as fitgap shuffles them.

Pixels are random and the images' files have been read before: what is measured is the way, not the disk.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.runtime import begin_run, choose_precision, load_tensorflow

load_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from hydra import compose, initialize_config_dir  # noqa: E402
from keras.src.legacy.preprocessing.image import ImageDataGenerator  # noqa: E402
from PIL import Image  # noqa: E402

from benchmarks.measurement import Ratio, describe_machine, interleave, print_table, ratio  # noqa: E402
from src.augmentation import RandomWarp  # noqa: E402
from src.config.composition import register_schemas, to_run_config  # noqa: E402
from src.config.model import TransferConfig  # noqa: E402
from src.config.paths import PROJECT_ROOT  # noqa: E402
from src.config.run import RunConfig  # noqa: E402
from src.data.split import Split  # noqa: E402
from src.models.build import build_network  # noqa: E402
from src.models.transfer import cut_network  # noqa: E402
from src.training.optimizer import build_optimizer  # noqa: E402
from src.training.pipeline import StepBatches, encode_labels, load_ahead, load_steps, order_images  # noqa: E402
from src.training.program import TrainingProgram  # noqa: E402

#: One recipe of each network that sees the images themselves.
RECIPES = ("A1", "B1", "B2", "C1", "C2", "D1", "D2", "E1", "E2", "E3")

SECONDS = 1.0

Measure = Callable[[], float]


@dataclass(frozen=True)
class Workload:
    """What is trained on, and by what.

    Attributes:
        name: Its name in the table.
        config: The run.
        shape: Shape of an image or of its features.
        num_classes: Classes.
        takes: Gives images per second that its network takes.
    """

    name: str
    config: RunConfig
    shape: tuple[int, ...]
    num_classes: int
    takes: Measure


def main() -> None:
    """Finds the fastest network, measures batches beside it in turns and prints how many times as many they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000, help="images of each data set")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    options = parser.parse_args()
    fastest = find_fastest()
    workloads = [
        prepare_images(f"recipe {fastest}", f"recipe={fastest}", 2),
        prepare_images("digits", "dataset=digits", 10),
        prepare_features("recipe C4's features", 2),
    ]
    rows = [("training batches", "images per second", "times what the network takes")]
    with tempfile.TemporaryDirectory() as temporary:
        for number, workload in enumerate(workloads):
            candidates = {f"{workload.name}: its network": workload.takes}
            candidates |= prepare_batches(workload, options.images, Path(temporary) / str(number))
            figures = interleave(candidates, options.rounds)
            taken, *others = figures
            rows.append((taken, f"{statistics.median(figures[taken]):,.0f}", str(Ratio(1, 1, 1))))
            for name in others:
                rates = figures[name]
                rows.append((name, f"{statistics.median(rates):,.0f}", str(ratio(rates, figures[taken]))))
    print(describe_machine(["tensorflow", "keras", "numpy"]))
    print(f"{options.rounds} rounds, {options.images:,} images each, {choose_precision('auto')}\n")
    print_table(rows)


def find_fastest() -> str:
    """Returns the recipe whose network takes the most images per second."""
    rates: dict[str, float] = {}
    for recipe in RECIPES:
        rates[recipe] = prepare_images(recipe, f"recipe={recipe}", 2).takes()
    listed = ", ".join(f"{recipe} {rate:,.0f}" for recipe, rate in sorted(rates.items(), key=lambda item: -item[1]))
    print(f"images per second that networks take: {listed}\n")
    return max(rates, key=lambda recipe: rates[recipe])


def prepare_images(name: str, override: str, num_classes: int) -> Workload:
    """Returns a training on images."""
    config = _compose(override)
    size = config.dataset.image_size
    begin_run(seed=0, precision=choose_precision("auto"), deterministic=False)
    model = build_network(config.model, size, num_classes).model
    shape = (size, size, 3)
    return Workload(name, config, shape, num_classes, _prepare_steps(config, model, shape, "uint8", num_classes))


def prepare_features(name: str, num_classes: int) -> Workload:
    """Returns the training of recipe C4's head on features."""
    config = _compose("recipe=C4", "model.weights=random")
    assert isinstance(config.model, TransferConfig)
    begin_run(seed=0, precision=choose_precision("auto"), deterministic=False)
    head = cut_network(build_network(config.model, config.dataset.image_size, num_classes).model).head
    shape = tuple(head.input_shape[1:])
    dtype = str(head.input.dtype)
    return Workload(name, config, shape, num_classes, _prepare_steps(config, head, shape, dtype, num_classes))


def prepare_batches(workload: Workload, count: int, folder: Path) -> dict[str, Measure]:
    """Returns what gives batches of a workload: fitgap's, and for images its warp and the rivals."""
    folder.mkdir()
    config, generator = workload.config, np.random.default_rng(0)
    labels = generator.integers(0, workload.num_classes, count, dtype=np.int32)
    batch_size, head = config.trainer.batch_size, config.model.head
    pixels = generator.integers(0, 256, (count, *workload.shape), dtype=np.uint8)
    of_images = len(workload.shape) == 3
    # Features are stored in two bytes each.
    np.save(folder / "images.npy", pixels if of_images else pixels.astype(np.float16))
    stored = np.load(folder / "images.npy", mmap_mode="r")
    split = Split("train", stored, generator.permutation(count), labels)
    candidates = {f"{workload.name}: fitgap": _measure_iterator(_load(split, batch_size, head))}
    if not of_images:
        return candidates
    if workload.name.startswith("recipe"):
        warped = _warp(_load(split, batch_size, head))
        candidates[f"{workload.name}: fitgap, with E2's warp"] = _measure_iterator(warped)
    _write_images(folder / "images", pixels, labels)
    side = workload.shape[0]
    for unit in ("batches", "images"):
        read = _read_directory(folder / "images", side, batch_size, count, of_batches=unit == "batches")
        candidates[f"{workload.name}: image_dataset_from_directory, cached {unit}"] = _measure_iterator(read)
    with contextlib.redirect_stdout(io.StringIO()):
        flow = ImageDataGenerator().flow_from_directory(
            str(folder / "images"), target_size=(side, side), batch_size=batch_size, class_mode="sparse"
        )
    candidates[f"{workload.name}: ImageDataGenerator"] = _measure_iterator(flow)
    return candidates


def _compose(*overrides: str) -> RunConfig:
    register_schemas()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        given = [*overrides, "dataset.url=none"] if "recipe" in overrides[0] else list(overrides)
        return to_run_config(compose("train", overrides=given))


def _prepare_steps(
    config: RunConfig, model: keras.Model, shape: tuple[int, ...], dtype: str, num_classes: int
) -> Measure:
    """Returns a function that takes training steps and returns images per second; the step is traced already."""
    batch_size, head = config.trainer.batch_size, config.model.head
    optimizer = build_optimizer(config.optimizer, precision=choose_precision("auto"))
    program = TrainingProgram(model, input_dtype=dtype, augmentation=None, optimizer=optimizer, head=head)
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (1, batch_size, *shape), dtype=np.uint8).astype(
        tf.as_dtype(dtype).as_numpy_dtype
    )
    labels = generator.integers(0, num_classes, batch_size, dtype=np.int32)
    batch, learning_rate = StepBatches(0, images, encode_labels(labels, head)[None]), np.array([1e-3], np.float32)
    number = np.zeros(1, np.int32)
    program.take_steps(batch, learning_rate, number)

    def measure() -> float:
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < SECONDS:
            program.take_steps(batch, learning_rate, number)
            count += batch_size
        return count / (time.perf_counter() - start)

    return measure


def _measure_iterator(batches: Iterator[Any]) -> Measure:
    """Returns a function that takes batches and returns images per second; the first one is taken already."""
    next(batches)

    def measure() -> float:
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < SECONDS:
            count += len(next(batches)[0])
        return count / (time.perf_counter() - start)

    return measure


def _load(split: Split, batch_size: int, head: str) -> Iterator[Any]:
    """Yields the batches of one epoch after the other, as a training loads them."""
    for epoch in itertools.count():
        order = order_images(len(split), epoch=epoch, seed=0)
        for step in load_ahead(load_steps(split, order, batch_size=batch_size, head=head, choose_steps=lambda: 1)):
            yield step.inputs[0], step.labels[0]


def _warp(batches: Iterator[Any]) -> Iterator[Any]:
    warp = tf.function(RandomWarp(_compose("recipe=E2").augmentation))
    for number, (images, labels) in enumerate(batches):
        warped = warp(images, tf.constant([0, number]))
        tf.test.experimental.sync_devices()  # A GPU returns before it has finished.
        yield warped, labels


def _read_directory(folder: Path, side: int, batch_size: int, count: int, *, of_batches: bool) -> Iterator[Any]:
    """Returns the batches of Keras's own reader, whose cache, of batches or of single images, is full."""
    with contextlib.redirect_stdout(io.StringIO()):  # It says what it has found.
        read = keras.utils.image_dataset_from_directory(
            str(folder), image_size=(side, side), batch_size=batch_size if of_batches else None, shuffle=False
        )
    cached = read.cache()
    for _ in cached:
        pass
    shuffled = cached.shuffle(count)
    batches = shuffled if of_batches else shuffled.batch(batch_size)
    return iter(batches.prefetch(tf.data.AUTOTUNE).repeat())


def _write_images(folder: Path, pixels: np.ndarray, labels: np.ndarray) -> None:
    for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        path = folder / f"class {label}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


if __name__ == "__main__":
    main()
