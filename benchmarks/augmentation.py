"""Claim: recipe A2's augmentation is at least 4 times as fast as five Keras layers, 2.5 times as the old generator.

    python -m benchmarks.augmentation

Recipe A2 turns by 40 degrees, shifts by a fifth, shears by .2 degrees, zooms by a fifth, mirrors and fills with the
nearest pixel: `conf/augmentation/affine.yaml`. Three ways to do it take turns on the same batch of 100 images of
150 x 150 pixels, uint8 in and float32 out:

- fitgap's `RandomWarp` in a `tf.function`, compiled beforehand, which takes a third of a second,
- Keras's RandomFlip, RandomRotation, RandomTranslation, RandomShear and RandomZoom, one after the other in a
  `tf.function`, which resamples four times,
- the old `ImageDataGenerator.random_transform`, image by image in one thread, as its `flow` does it.

TensorFlow uses all cores, the old generator one, as each does by default. Every measurement lasts about a second; the
ratios are taken between the measurements of one round.
"""

from __future__ import annotations

import functools
import os
import statistics
import time
import warnings
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # Quiet notes about the processor, before TensorFlow is imported.

import keras
import numpy as np
import tensorflow as tf
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from benchmarks.measurement import describe_machine, interleave, print_table, ratio
from src.augmentation import RandomWarp
from src.config.augmentation import AugmentationConfig

BATCH_SIZE, SIZE, ROUNDS, SECONDS = 100, 150, 9, 1.0

A2 = AugmentationConfig(
    name="affine",
    horizontal_flip=True,
    rotation_degrees=40,
    width_shift=0.2,
    height_shift=0.2,
    shear_degrees=0.2,
    zoom=0.2,
    fill_mode="nearest",
)


def main() -> None:
    """Measures the three ways and prints their images per second and fitgap's advantage."""
    images = np.random.default_rng(0).integers(0, 256, (BATCH_SIZE, SIZE, SIZE, 3), dtype=np.uint8)
    batches = {
        "fitgap, one warp": build_warp(images),
        "five Keras layers": build_layers(images),
        "old ImageDataGenerator": build_generator(images),
    }
    for augment in batches.values():
        augment()
    candidates = {name: functools.partial(measure, augment) for name, augment in batches.items()}
    figures = interleave(candidates, ROUNDS)
    ours = figures["fitgap, one warp"]
    print(describe_machine(["tensorflow", "keras", "scipy", "numpy"]))
    print(f"{ROUNDS} rounds, {BATCH_SIZE} images of {SIZE} x {SIZE} a batch\n")
    print_table(
        [
            ("augmentation of recipe A2", "images per second", "fitgap is faster by"),
            *((name, f"{statistics.median(rates):,.0f}", str(ratio(ours, rates))) for name, rates in figures.items()),
        ]
    )


def measure(augment: Callable[[], object]) -> float:
    """Returns images per second over as many batches as fit into `SECONDS`."""
    start, batches = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        augment()
        tf.test.experimental.sync_devices()  # A GPU returns before it has finished.
        batches += 1
    return batches * BATCH_SIZE / (time.perf_counter() - start)


def build_warp(images: np.ndarray) -> Callable[[], object]:
    """Returns a function that augments one batch by fitgap's warp, with a new seed every time."""
    warp, batch = tf.function(RandomWarp(A2)), tf.constant(images)
    seeds = iter(range(2**31))
    return lambda: warp(batch, tf.constant([0, next(seeds)]))


def build_layers(images: np.ndarray) -> Callable[[], object]:
    """Returns a function that augments one batch by five Keras layers, whose shear is a fraction, not an angle."""
    layers = keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(A2.rotation_degrees / 360, fill_mode="nearest"),
            keras.layers.RandomTranslation(A2.height_shift, A2.width_shift, fill_mode="nearest"),
            keras.layers.RandomShear(x_factor=float(np.sin(np.deg2rad(A2.shear_degrees))), fill_mode="nearest"),
            keras.layers.RandomZoom(A2.zoom, A2.zoom, fill_mode="nearest"),
        ]
    )
    batch, augment = tf.constant(images), tf.function(lambda batch: layers(batch, training=True))
    return lambda: augment(batch)


def build_generator(images: np.ndarray) -> Callable[[], object]:
    """Returns a function that augments one batch by the old generator."""
    # Keras still imports SciPy's function under its old name.
    warnings.filterwarnings("ignore", message="Please import `affine_transform`", category=DeprecationWarning)
    generator = ImageDataGenerator(
        rotation_range=A2.rotation_degrees,
        width_shift_range=A2.width_shift,
        height_shift_range=A2.height_shift,
        shear_range=A2.shear_degrees,
        zoom_range=A2.zoom,
        horizontal_flip=A2.horizontal_flip,
        fill_mode="nearest",
    )
    return lambda: np.stack([generator.random_transform(image.astype(np.float32)) for image in images])


if __name__ == "__main__":
    main()
