"""Schemas of the `dataset` group: where images come from and how they are split."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from src.config.bounds import bounded


@dataclass
class DatasetConfig:
    """What every data set has.

    Attributes:
        name: Label under which runs on this data set are tracked.
        image_size: Side of the square, in pixels, to which every image is resized.
        split_seed: Seed of the stratified splits; apart from the run's seed, so that repeated runs share their splits.
        num_train_eval: Training images measured after each epoch as validation is (no augmentation, no dropout).
        max_bad_images: Unreadable images that are reported and left out before the data set is refused.
        cache_dir: Folder for downloads and decoded images, shared by all runs and processes.
    """

    name: str = MISSING
    image_size: int = bounded(MISSING, minimum=8, maximum=1024)
    split_seed: int = bounded(0, minimum=0)
    num_train_eval: int = bounded(500, minimum=1)
    max_bad_images: int = bounded(0, minimum=0)
    cache_dir: str = MISSING


@dataclass
class DigitsConfig(DatasetConfig):
    """scikit-learn's 1,797 handwritten digits, which need no download."""

    num_train: int = bounded(1000, minimum=10)
    num_val: int = bounded(397, minimum=10)
    num_test: int = bounded(400, minimum=0)


@dataclass
class CatsVsDogsConfig(DatasetConfig):
    """The tutorials' `cats_and_dogs_filtered`: train 1,000 + 1,000 and validation 500 + 500 images.

    Attributes:
        url: The zip: http, https, file:// or a plain path; also the path of the extracted folder.
        num_train: Training images to use, classes in proportion; null for all.
        num_test: Images of the validation folder that are held out as the test split; 0 to validate on all.
        num_val: Validation images to use of what is left; null for all.
    """

    url: str = MISSING
    num_train: int | None = bounded(None, minimum=2)
    num_val: int | None = bounded(None, minimum=2)
    num_test: int = bounded(200, minimum=0)


@dataclass
class DogsVsCatsConfig(DatasetConfig):
    """Kaggle's *Dogs vs Cats* training folder: flat, the label is the first part of `cat.N.jpg` and `dog.N.jpg`.

    Attributes:
        url: The folder, or a zip of it: http, https, file:// or a plain path.
        num_train: Training images, classes in proportion.
        num_val: Validation images.
        num_test: Test images.
    """

    url: str = MISSING
    num_train: int = bounded(3000, minimum=2)
    num_val: int = bounded(1000, minimum=2)
    num_test: int = bounded(1000, minimum=0)


@dataclass
class ImageFolderConfig(DatasetConfig):
    """The user's own images: `class/…`, or `train|validation|test/class/…`, any number of classes.

    Attributes:
        url: The folder, or a zip of it: http, https, file:// or a plain path.
        val_fraction: Share of the images for validation where the folder has no `validation` of its own.
        test_fraction: Share of the images for the test split where the folder has no `test` of its own.
        extensions: File name endings that count as images; other files are ignored.
    """

    url: str = MISSING
    val_fraction: float = bounded(0.2, above=0, below=1)
    test_fraction: float = bounded(0.1, minimum=0, below=1)
    extensions: list[str] = field(default_factory=lambda: [".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp"])
