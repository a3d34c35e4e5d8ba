"""The data and the networks as Keras's tutorials write them, in float32."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
from task import Task


def load_data(task: Task) -> dict[str, Any]:
    """Returns the data as arguments of `fit`."""
    if task.workload == "digits":
        return _load_arrays(task)
    return _load_generator(task) if "generator" in task.options else _load_folders(task)


def build_model(task: Task, dropout: float, learning_rate: float) -> keras.Model:
    """Builds and compiles the network of a trial, in float32, after seeding."""
    keras.utils.set_random_seed(task.seed)
    if task.workload == "digits":
        layers = [*_convolutions(32, 64, 128), *_head(dropout, num_classes=10)]
    else:
        layers = [*_convolutions(32, 64, 128, 128), *_head(dropout, num_classes=2)]
        if "generator" not in task.options:
            layers = [keras.layers.Rescaling(1 / 255), *_augmentation(), *layers]
    model = keras.Sequential([keras.Input((task.image_size, task.image_size, 3)), *layers])
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def _convolutions(*filters: int) -> list[keras.layers.Layer]:
    pairs = [(keras.layers.Conv2D(count, 3, activation="relu"), keras.layers.MaxPooling2D()) for count in filters]
    return list(itertools.chain(*pairs))


def _head(dropout: float, *, num_classes: int) -> list[keras.layers.Layer]:
    return [
        keras.layers.Flatten(),
        keras.layers.Dropout(dropout),
        keras.layers.Dense(512, activation="relu"),
        keras.layers.Dense(num_classes, activation="softmax"),
    ]


def _augmentation() -> list[keras.layers.Layer]:
    """Recipe A2's augmentation as preprocessing layers, whose shear is a fraction and not an angle."""
    return [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomRotation(40 / 360, fill_mode="nearest"),
        keras.layers.RandomTranslation(0.2, 0.2, fill_mode="nearest"),
        keras.layers.RandomShear(x_factor=math.sin(math.radians(0.2)), fill_mode="nearest"),
        keras.layers.RandomZoom(0.2, 0.2, fill_mode="nearest"),
    ]


def _load_arrays(task: Task) -> dict[str, Any]:
    """The images as NumPy arrays of floats, as `keras.datasets` and a division by 255 give them."""
    with np.load(task.data) as archive:
        images = {name: archive[name].astype("float32") / 255 for name in ("x_train", "x_val")}
        labels = {name: archive[name] for name in ("y_train", "y_val")}
    return {
        "x": images["x_train"],
        "y": labels["y_train"],
        "batch_size": task.batch_size,
        "validation_data": (images["x_val"], labels["y_val"]),
    }


def _load_folders(task: Task) -> dict[str, Any]:
    """The images as `image_dataset_from_directory` loads them, decoded once per process and kept in memory."""
    import tensorflow as tf

    def load(part: str, *, shuffle: bool) -> Any:
        dataset = keras.utils.image_dataset_from_directory(
            Path(task.data) / part,
            image_size=(task.image_size, task.image_size),
            batch_size=task.batch_size,
            shuffle=shuffle,
            seed=task.seed,
        ).cache()
        return (dataset.shuffle(1000, seed=task.seed) if shuffle else dataset).prefetch(tf.data.AUTOTUNE)

    return {"x": load("train", shuffle=True), "validation_data": load("validation", shuffle=False)}


def _load_generator(task: Task) -> dict[str, Any]:
    """The images as the old `ImageDataGenerator` loads and augments them, file by file in every epoch."""
    import tensorflow as tf

    generator = tf.keras.preprocessing.image.ImageDataGenerator
    common = {
        "target_size": (task.image_size, task.image_size),
        "batch_size": task.batch_size,
        "class_mode": "sparse",
    }
    augmented = generator(
        rescale=1 / 255,
        rotation_range=40,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=0.2,
        zoom_range=0.2,
        horizontal_flip=True,
        fill_mode="nearest",
    )
    train = augmented.flow_from_directory(Path(task.data) / "train", seed=task.seed, **common)
    plain = generator(rescale=1 / 255)
    validation = plain.flow_from_directory(Path(task.data) / "validation", shuffle=False, **common)
    return {"x": train, "validation_data": validation}
