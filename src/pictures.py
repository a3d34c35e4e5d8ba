"""The pictures that a run leaves behind, drawn from its data and its trained network."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from src.augmentation import RandomWarp
from src.config.augmentation import AugmentationConfig
from src.data.dataset import ImageDataset
from src.figures.confusion import compute_confusion_matrix, plot_confusion_matrix
from src.figures.curves import plot_curves
from src.figures.predictions import find_worst, plot_worst_predictions
from src.figures.previews import plot_augmentation_preview, plot_dataset_preview
from src.figures.style import save_figure
from src.history import History
from src.training.evaluation import predict_probabilities

#: Pictures per class in the preview of a data set, and variants of one picture in that of an augmentation.
PREVIEWED_IMAGES = 8

#: Wrong predictions shown.
WORST_PREDICTIONS = 12


def draw_previews(folder: Path, dataset: ImageDataset, augmentation: AugmentationConfig, seed: int) -> list[Path]:
    """Draws training images of each class, and what the augmentation makes of one of them."""
    train = dataset.train
    images_by_class = {
        name: train.load(np.flatnonzero(train.labels == label)[:PREVIEWED_IMAGES])
        for label, name in enumerate(dataset.class_names)
    }
    preview = folder / "dataset_preview.png"
    title = f"{dataset.name}: {len(train):,} training images of {dataset.num_classes} classes"
    save_figure(plot_dataset_preview(images_by_class, dataset.class_counts(train), title), preview)

    original = train.load(np.array([0]))
    copies = tf.repeat(tf.constant(original), PREVIEWED_IMAGES, axis=0)
    augmented = RandomWarp(augmentation)(copies, tf.constant([seed, 0], tf.int32)).numpy()
    variants = folder / "augmentation_preview.png"
    title = f"augmentation {augmentation.name} at strength {augmentation.strength:g}"
    save_figure(plot_augmentation_preview(original[0], augmented, title), variants)
    return [preview, variants]


def draw_curves(folder: Path, history: History, name: str, overfit_epoch: float | None) -> Path:
    """Draws accuracy and loss over the epochs."""
    path = folder / "curves.png"
    onset = None if overfit_epoch is None else int(overfit_epoch)
    save_figure(plot_curves(history, name, overfit_epoch=onset), path)
    return path


def draw_predictions(
    folder: Path, dataset: ImageDataset, classifier: keras.Model, name: str, *, batch_size: int
) -> list[Path]:
    """Draws the confusion matrix of the validation images and the most confident of the wrong predictions."""
    val = dataset.val
    probabilities = predict_probabilities(classifier, val, batch_size=batch_size)
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
