"""The pictures of a run: drawn of what is there, and drawn again only where something has changed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from src.config.augmentation import AugmentationConfig
from src.data.dataset import ImageDataset
from src.data.split import Split
from src.runtime import load_tensorflow

load_tensorflow()

from src import pictures  # noqa: E402
from src.pictures import draw_predictions, draw_previews  # noqa: E402

AFFINE = AugmentationConfig(name="affine", strength=1.0, rotation_degrees=20.0)


@pytest.fixture
def dataset() -> ImageDataset:
    """Ten noisy pictures of two classes, of which any may be in any split."""
    images = np.random.default_rng(0).integers(0, 256, (10, 16, 16, 3), np.uint8)
    labels = (np.arange(10) % 2).astype(np.int32)
    splits = {name: Split(name, images, np.arange(10), labels) for name in ("train", "train_eval", "val", "test")}
    names = tuple(f"{number}.png" for number in range(10))
    return ImageDataset(
        name="noise",
        image_size=16,
        class_names=("cat", "dog"),
        **splits,
        file_names=names,
        bad_files=(),
        source="made up",
        images_digest="0" * 64,
        fingerprint="0" * 64,
    )


def test_previews_are_drawn_again_only_where_they_show_something_else(
    dataset: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_last_drawn", {})
    other = dataclasses.replace(
        dataset, fingerprint="1" * 64, train=dataclasses.replace(dataset.val, labels=1 - dataset.val.labels)
    )
    stronger = dataclasses.replace(AFFINE, strength=2.0)
    seen = []
    for number, (shown, augmentation, seed) in enumerate(
        [
            (dataset, AFFINE, 0),
            (dataset, AFFINE, 0),
            (dataset, stronger, 0),
            (dataset, stronger, 1),
            (other, stronger, 1),
        ]
    ):
        paths = draw_previews(tmp_path / str(number), shown, augmentation, seed)
        assert [path.name for path in paths] == ["dataset_preview.png", "augmentation_preview.png"]
        seen.append([path.read_bytes() for path in paths])
    datasets, augmentations = zip(*seen, strict=True)
    assert datasets[0] == datasets[1] == datasets[2] == datasets[3] != datasets[4]
    assert augmentations[0] == augmentations[1]
    assert len(set(augmentations[1:4])) == 3


def test_an_augmentation_is_shown_as_the_training_applies_it(dataset: ImageDataset) -> None:
    import tensorflow as tf

    from src.augmentation import RandomWarp

    images, seed = tf.constant(dataset.train.load()), tf.constant([0, 0], tf.int32)
    for augmentation in (AFFINE, AugmentationConfig(name="flip", strength=1.0, horizontal_flip=True)):
        plain = RandomWarp(augmentation, compiled=False)(images, seed)
        np.testing.assert_allclose(plain, RandomWarp(augmentation)(images, seed), atol=1e-2)


def test_predictions_become_two_pictures(dataset: ImageDataset, tmp_path: Path) -> None:
    probabilities = np.tile(np.array([0.25, 0.75], np.float32), (10, 1))
    paths = draw_predictions(tmp_path, dataset, probabilities, "cnn")
    assert [path.name for path in paths] == ["confusion_matrix.png", "worst_predictions.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
