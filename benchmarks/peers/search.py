"""The searches that all candidates are given: data, network, points, epochs and what fitgap claims of them."""

from __future__ import annotations

import itertools
import os
import shutil
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from src.config.paths import PROJECT_ROOT

#: The zip of cats and dogs that lies beside some checkouts; `FITGAP_CATS_VS_DOGS` may name another place.
PETS_ZIP = PROJECT_ROOT.parent / "shared" / "data" / "cats_and_dogs_filtered.zip"


@dataclass(frozen=True)
class Search:
    """One search.

    Attributes:
        name: `digits` or `pets`.
        title: What is trained, in words.
        axes: The values of each hyperparameter; every combination is a trial.
        epochs: Epochs of each trial.
        batch_size: Images per step.
        image_size: Side of the square images, in pixels.
        overrides: What fitgap's command line needs besides.
        times_tracked: How many times as fast as every tracked peer fitgap is to be.
        times_plain: How many times as fast as plain Keras it is to be.
        num_train: Training images.
        num_val: Validation images.
        seed: Seed of every trial.
    """

    name: str
    title: str
    axes: dict[str, list[float]]
    epochs: int
    batch_size: int
    image_size: int
    overrides: tuple[str, ...]
    times_tracked: float
    times_plain: float
    num_train: int
    num_val: int
    seed: int = 0

    @property
    def points(self) -> list[dict[str, float]]:
        """All combinations of the axes, the last one fastest."""
        return [dict(zip(self.axes, values, strict=True)) for values in itertools.product(*self.axes.values())]

    def resize(self, *, trials: int | None, epochs: int | None, images: int | None) -> Search:
        """Returns the search with at most so many trials and training images, and with so many epochs.

        Axes are cut from the last one on, so that what is left is a grid still.
        """
        axes, room = {}, trials or len(self.points)
        for name, values in self.axes.items():
            axes[name] = values[:room]
            room //= len(axes[name])
        resized = replace(self, axes=axes, epochs=epochs or self.epochs)
        if images is None:
            return resized
        return replace(resized, num_train=images, num_val=min(images, self.num_val))


SEARCHES = {
    "digits": Search(
        name="digits",
        title="fitgap's default network on the embedded digits, 32 x 32 pixels",
        axes={"dropout": [0.0, 0.25, 0.5], "learning_rate": [0.0003, 0.0005, 0.001, 0.002]},
        epochs=8,
        batch_size=32,
        image_size=32,
        overrides=("dataset=digits", "model=cnn", "augmentation=none", "optimizer=adam"),
        times_tracked=2.5,
        times_plain=1.5,
        num_train=1000,
        num_val=397,
    ),
    "pets": Search(
        name="pets",
        title="recipe A2 on cats and dogs, 150 x 150 pixels, augmented",
        axes={"dropout": [0.3, 0.5, 0.7], "learning_rate": [0.001]},
        epochs=2,
        batch_size=100,
        image_size=150,
        overrides=("recipe=A2",),
        times_tracked=3.0,
        times_plain=2.5,
        num_train=2000,
        num_val=1000,
    ),
}


def prepare_data(search: Search, folder: Path) -> Path | None:
    """Writes the images as the peers read them, and returns where; None where they cannot be had.

    The digits become a NumPy archive of fitgap's own splits; cats and dogs are extracted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return _write_digits(search, folder) if search.name == "digits" else _extract_pets(search, folder)


def _write_digits(search: Search, folder: Path) -> Path:
    import numpy as np

    from src.config.dataset import DigitsConfig
    from src.data.dataset import open_dataset

    config = DigitsConfig(
        name="digits",
        image_size=search.image_size,
        num_train=search.num_train,
        num_val=search.num_val,
        cache_dir=str(folder / "decoded"),
    )
    dataset = open_dataset(config)
    train, val = dataset.train, dataset.val
    path = folder / "digits.npz"
    np.savez(path, x_train=train.load(), y_train=train.labels, x_val=val.load(), y_val=val.labels)
    return path


def _extract_pets(search: Search, folder: Path) -> Path | None:
    place = Path(os.environ.get("FITGAP_CATS_VS_DOGS", PETS_ZIP))
    if not place.is_file():
        return None
    with zipfile.ZipFile(place) as archive:
        archive.extractall(folder / "all")
    (root,) = (path.parent for path in (folder / "all").rglob("train"))
    for part, count in (("train", search.num_train), ("validation", search.num_val)):
        for source in sorted((root / part).iterdir()):
            # Sorted, so that the same few are taken each time; an even number, as there are two classes.
            names = sorted(path.name for path in source.glob("*.jpg"))[: count // 2]
            target = folder / "images" / part / source.name
            target.mkdir(parents=True)
            for name in names:
                shutil.move(source / name, target / name)
    shutil.rmtree(folder / "all")
    return folder / "images"
