"""An opened data set: decoded images, classes and the four splits."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from src.config.dataset import CatsVsDogsConfig, DatasetConfig, DigitsConfig, DogsVsCatsConfig, ImageFolderConfig
from src.data.cache import DecodedImages
from src.data.digits import CLASS_NAMES, open_digits
from src.data.division import Positions, divide
from src.data.files import DecodedFiles, open_files
from src.data.folder import find_image_folder
from src.data.pets import find_cats_vs_dogs, find_dogs_vs_cats
from src.data.split import Split
from src.errors import DataError

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ImageDataset:
    """Images with their classes, divided into splits.

    Attributes:
        name: The label under which runs on this data set are tracked.
        image_size: Side of the square images in pixels.
        class_names: Names by class number.
        train: Images to train on.
        train_eval: A fixed part of train that is measured as val is.
        val: Images that choose between epochs and between trials.
        test: Images held out from all choices; may be empty.
        file_names: A name for each image of the whole data set, such as `digit 17` or `train/cats/cat.0.jpg`.
        bad_files: Files left out, each as `name: reason`.
        source: The address or path as configured, or `scikit-learn`.
        images_digest: SHA-256, in hex, over the decoded images alone.
        fingerprint: SHA-256, in hex, over the decoded images, their classes and the splits. It does not depend on
            paths, dates or the order of a file system.
    """

    name: str
    image_size: int
    class_names: tuple[str, ...]
    train: Split
    train_eval: Split
    val: Split
    test: Split
    file_names: tuple[str, ...]
    bad_files: tuple[str, ...]
    source: str
    images_digest: str
    fingerprint: str

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def majority_class_accuracy(self) -> float:
        """Accuracy on val of always answering the class most common in train; of equals the first."""
        answer = np.bincount(self.train.labels, minlength=self.num_classes).argmax()
        return float(np.mean(self.val.labels == answer))

    def class_counts(self, split: Split) -> dict[str, int]:
        """Returns the number of images of each class in a split."""
        counts = np.bincount(split.labels, minlength=self.num_classes)
        return {name: int(count) for name, count in zip(self.class_names, counts, strict=True)}


def open_dataset(config: DatasetConfig) -> ImageDataset:
    """Opens the configured data set; downloads and decodes it first where the cache does not hold it.

    Safe to call from several processes at once: one prepares, the others wait and share what it made.

    Raises:
        DataError: The data set cannot be had, is not laid out as it must be, holds more than `max_bad_images`
            unreadable files, or fewer images than asked for.
        StorageError: The cache folder cannot be written to.
    """
    match config:
        case DigitsConfig():
            decoded = open_digits(config)
            files = DecodedFiles(decoded, CLASS_NAMES, ("",) * len(decoded.labels))
            source = "scikit-learn"
        case CatsVsDogsConfig(url=source):
            files = open_files("cats_vs_dogs", source, config.image_size, config.cache_dir, find_cats_vs_dogs)
        case DogsVsCatsConfig(url=source):
            files = open_files("dogs_vs_cats", source, config.image_size, config.cache_dir, find_dogs_vs_cats)
        case ImageFolderConfig(url=source):
            find_layout = partial(find_image_folder, extensions=config.extensions)
            files = open_files("image_folder", source, config.image_size, config.cache_dir, find_layout)
        case _:
            raise TypeError(f"No data set is known for {type(config).__name__}.")
    decoded, class_names = files.decoded, files.class_names
    _check_bad_files(decoded, config.max_bad_images, source)
    positions = divide(config, decoded.labels, files.parts)
    splits = {name: _build_split(name, decoded, indices) for name, indices in positions.items()}
    _check_classes(splits["train"], class_names, source)
    return ImageDataset(
        name=config.name,
        image_size=config.image_size,
        class_names=class_names,
        **splits,
        file_names=decoded.file_names,
        bad_files=decoded.bad_files,
        source=source,
        images_digest=decoded.digest,
        fingerprint=_compute_fingerprint(decoded, class_names, splits),
    )


def _build_split(name: str, decoded: DecodedImages, indices: Positions) -> Split:
    return Split(name, decoded.images, indices, decoded.labels[indices])


def _check_bad_files(decoded: DecodedImages, max_bad_images: int, source: str) -> None:
    bad = decoded.bad_files
    if not bad:
        return
    total = len(bad) + len(decoded.labels)
    subject = f"{len(bad):,} of the {total:,} images of {source} cannot be read"
    if len(bad) <= max_bad_images:
        _logger.warning("%s and are left out:\n  %s", subject, "\n  ".join(bad))
        return
    more = [f"and {len(bad) - 10:,} more"] if len(bad) > 10 else []
    raise DataError(
        "\n  ".join([f"{subject}, but dataset.max_bad_images allows {max_bad_images:,}:", *bad[:10], *more])
        + f"\nReplace or remove them, or go on without them with dataset.max_bad_images={len(bad)}."
    )


def _check_classes(train: Split, class_names: Sequence[str], source: str) -> None:
    counts = np.bincount(train.labels, minlength=len(class_names))
    missing = [name for name, count in zip(class_names, counts, strict=True) if not count]
    if missing:
        raise DataError(
            f"No readable image of the class {', '.join(missing)} of {source} is left to train on. Add images of it, "
            "remove the class, or train on more of the images."
        )


def _compute_fingerprint(decoded: DecodedImages, class_names: Sequence[str], splits: dict[str, Split]) -> str:
    fingerprint = hashlib.sha256(json.dumps([decoded.digest, class_names]).encode())
    for name, split in sorted(splits.items()):
        # Little-endian, so that the bytes are the same on every machine.
        fingerprint.update(f"{name} {len(split)} ".encode())
        fingerprint.update(split.indices.astype("<i8").tobytes() + split.labels.astype("<i4").tobytes())
    return fingerprint.hexdigest()
