from __future__ import annotations

import numpy as np
import tensorflow as tf

from src.data.dataset import ImageDataset
from src.training.pipeline import build_evaluation_batches, build_training_batches


def take(dataset: tf.data.Dataset, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(images.numpy(), labels.numpy()) for images, labels in dataset.take(count)]


def training_batches(digits: ImageDataset, seed: int = 0) -> tf.data.Dataset:
    return build_training_batches(digits.train, batch_size=50, epochs=2, seed=seed, head="softmax")


def test_every_epoch_holds_every_image_once_in_an_order_of_its_own(digits: ImageDataset) -> None:
    batches = take(training_batches(digits), 6)
    assert [len(labels) for _, labels in batches] == [50, 50, 20, 50, 50, 20]
    first = np.concatenate([images for images, _ in batches[:3]])
    second = np.concatenate([images for images, _ in batches[3:]])
    assert not np.array_equal(first, second)
    everything = np.sort(digits.train.load().reshape(120, -1).sum(axis=1))
    for epoch in (first, second):
        np.testing.assert_array_equal(np.sort(epoch.reshape(120, -1).sum(axis=1)), everything)


def test_images_keep_their_labels(digits: ImageDataset) -> None:
    known = {image.tobytes(): label for image, label in zip(digits.train.load(), digits.train.labels, strict=True)}
    for images, labels in take(training_batches(digits), 3):
        assert [known[image.tobytes()] for image in images] == labels.tolist()


def test_the_order_depends_on_the_seed_alone(digits: ImageDataset) -> None:
    one, same, other = (take(training_batches(digits, seed), 1)[0][1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_evaluation_keeps_the_splits_order(digits: ImageDataset) -> None:
    batches = take(build_evaluation_batches(digits.val, batch_size=25, head="softmax"), 9)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in batches]), digits.val.labels)
    np.testing.assert_array_equal(np.concatenate([images for images, _ in batches]), digits.val.load())


def test_a_sigmoids_labels_are_a_column_of_floats(digits: ImageDataset) -> None:
    _, labels = take(build_evaluation_batches(digits.val, batch_size=25, head="sigmoid"), 1)[0]
    assert labels.shape == (25, 1)
    assert labels.dtype == np.float32


def test_autotune_is_off_on_every_pipeline(digits: ImageDataset) -> None:
    evaluation = build_evaluation_batches(digits.val, batch_size=25, head="softmax")
    for dataset in (training_batches(digits), evaluation):
        assert dataset.options().autotune.enabled is False
