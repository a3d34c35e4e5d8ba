"""The pictures that a run leaves behind, drawn from its data and its trained network."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path

import numpy as np
import tensorflow as tf

from src.augmentation import RandomWarp
from src.config.augmentation import AugmentationConfig
from src.data.dataset import ImageDataset
from src.figures.confusion import compute_confusion_matrix, plot_confusion_matrix
from src.figures.curves import plot_curves
from src.figures.files import encode_picture, write_picture
from src.figures.predictions import find_worst, plot_worst_predictions
from src.figures.previews import plot_augmentation_preview, plot_dataset_preview
from src.figures.sheet import Sheet
from src.figures.style import save_figure
from src.history import History

#: Pictures per class in the preview of a data set, and variants of one picture in that of an augmentation.
PREVIEWED_IMAGES = 8

#: Wrong predictions shown.
WORST_PREDICTIONS = 12


#: The last picture drawn under each file name, and what it was drawn of: the runs of a sweep share their data set.
_last_drawn: dict[str, tuple[Hashable, bytes]] = {}


def draw_previews(folder: Path, dataset: ImageDataset, augmentation: AugmentationConfig, seed: int) -> list[Path]:
    """Draws training images of each class, and what the augmentation makes of one of them."""

    def plot_dataset() -> Sheet:
        train = dataset.train
        images_by_class = {
            name: train.load(np.flatnonzero(train.labels == label)[:PREVIEWED_IMAGES])
            for label, name in enumerate(dataset.class_names)
        }
        title = f"{dataset.name}: {len(train):,} training images of {dataset.num_classes} classes"
        return plot_dataset_preview(images_by_class, dataset.class_counts(train), title)

    def plot_augmentation() -> Sheet:
        original = dataset.train.load(np.array([0]))
        copies = tf.repeat(tf.constant(original), PREVIEWED_IMAGES, axis=0)
        # Compiling the warp takes longer than these few pictures.
        augmented = RandomWarp(augmentation, compiled=False)(copies, tf.constant([seed, 0], tf.int32)).numpy()
        title = f"augmentation {augmentation.name} at strength {augmentation.strength:g}"
        return plot_augmentation_preview(original[0], augmented, title)

    images = (dataset.name, dataset.fingerprint)
    return [
        _draw_once(folder / "dataset_preview.png", images, plot_dataset),
        _draw_once(folder / "augmentation_preview.png", (*images, repr(augmentation), seed), plot_augmentation),
    ]


def draw_curves(folder: Path, history: History, name: str, overfit_epoch: float | None) -> Path:
    """Draws accuracy and loss over the epochs."""
    path = folder / "curves.png"
    onset = None if overfit_epoch is None else int(overfit_epoch)
    save_figure(plot_curves(history, name, overfit_epoch=onset), path)
    return path


def draw_predictions(folder: Path, dataset: ImageDataset, probabilities: np.ndarray, name: str) -> list[Path]:
    """Draws the confusion matrix of the validation images and the most confident of the wrong predictions.

    Args:
        folder: Where to.
        dataset: The data set.
        probabilities: What the network gives to each class, for its validation images.
        name: The run's name.
    """
    val = dataset.val
    matrix = compute_confusion_matrix(val.labels, probabilities.argmax(axis=1), dataset.num_classes)
    confusion = folder / "confusion_matrix.png"
    save_figure(plot_confusion_matrix(matrix, dataset.class_names, f"{name}: validation images"), confusion)

    worst = find_worst(val.labels, probabilities, WORST_PREDICTIONS)
    predictions = folder / "worst_predictions.png"
    figure = plot_worst_predictions(
        val.load(worst),
        val.labels[worst],
        probabilities[worst],
        dataset.class_names,
        f"{name}: validation images",
        file_names=[dataset.file_names[index] for index in val.indices[worst]],
    )
    save_figure(figure, predictions)
    return [confusion, predictions]


def _draw_once(path: Path, subject: Hashable, plot: Callable[[], Sheet]) -> Path:
    """Writes a picture, which is drawn only where the last one under its name was of something else."""
    drawn, encoded = _last_drawn.get(path.name, (None, b""))
    if drawn != subject:
        encoded = encode_picture(plot().image)
        _last_drawn[path.name] = (subject, encoded)
    write_picture(encoded, path)
    return path
