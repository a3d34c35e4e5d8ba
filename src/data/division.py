"""How many images each split of a data set holds, and which ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from src.config.dataset import CatsVsDogsConfig, DatasetConfig, DigitsConfig, DogsVsCatsConfig, ImageFolderConfig
from src.data.stratification import stratify
from src.errors import DataError

# One generator per pool of images, told apart by the second number of its seed; the first is dataset.split_seed.
_TRAIN_POOL, _VALIDATION_POOL, _TRAIN_EVAL_POOL = range(3)

Positions = NDArray[np.int64]


def divide(config: DatasetConfig, labels: NDArray[np.int32], parts: Sequence[str]) -> dict[str, Positions]:
    """Chooses the images of the splits: the same ones for the same images, sizes and `split_seed`.

    Args:
        config: Sizes and seed.
        labels: int32 [n], class numbers of all images.
        parts: [n], for each image the part to which its folder assigns it, or empty.

    Returns:
        Positions of the splits `train`, `train_eval` (a part of train), `val` and `test` among all images.

    Raises:
        DataError: More images are asked for than there are.
    """
    where = {part: np.flatnonzero(np.asarray(parts) == part) for part in ("", "train", "validation", "test")}
    match config:
        case DigitsConfig() | DogsVsCatsConfig():
            sizes = {"test": config.num_test, "val": config.num_val, "train": config.num_train}
            _check_enough(len(labels), sizes)
            splits = _draw(config, labels, where[""], sizes, _TRAIN_POOL)
        case CatsVsDogsConfig():
            num_train = len(where["train"]) if config.num_train is None else config.num_train
            _check_enough(len(where["train"]), {"train": num_train}, "in its training folder")
            splits = _draw(config, labels, where["train"], {"train": num_train}, _TRAIN_POOL)
            available = len(where["validation"])
            num_val = max(1, available - config.num_test) if config.num_val is None else config.num_val
            sizes = {"test": config.num_test, "val": num_val}
            _check_enough(available, sizes, "in its validation folder")
            splits |= _draw(config, labels, where["validation"], sizes, _VALIDATION_POOL)
        case ImageFolderConfig():
            splits = _divide_folder(config, labels, where)
        case _:
            raise TypeError(f"No division is known for {type(config).__name__}.")
    in_train = splits["train"]
    num_train_eval = min(config.num_train_eval, len(in_train))
    splits |= _draw(config, labels, in_train, {"train_eval": num_train_eval}, _TRAIN_EVAL_POOL)
    return splits


def _divide_folder(
    config: ImageFolderConfig, labels: NDArray[np.int32], where: dict[str, Positions]
) -> dict[str, Positions]:
    """Takes val and test from folders of their own where there are any, else off the training images."""
    pool = np.concatenate([where[""], where["train"]])
    own = {"test": where["test"], "val": where["validation"]}
    given = {split: positions for split, positions in own.items() if len(positions)}
    sizes: dict[str, int] = {}
    if "test" not in given:
        sizes["test"] = round(config.test_fraction * len(pool))
    if "val" not in given:
        sizes["val"] = max(1, round(config.val_fraction * len(pool)))
    sizes["train"] = len(pool) - sum(sizes.values())
    if sizes["train"] < 1:
        raise DataError(
            f"{config.url} has {len(pool):,} images to train on, too few to take dataset.val_fraction="
            f"{config.val_fraction:g} and dataset.test_fraction={config.test_fraction:g} of them away. Add images."
        )
    splits = _draw(config, labels, pool, sizes, _TRAIN_POOL)
    for split, positions in given.items():
        splits |= _draw(config, labels, positions, {split: len(positions)}, _VALIDATION_POOL)
    return splits


def _draw(
    config: DatasetConfig, labels: NDArray[np.int32], pool: Positions, sizes: dict[str, int], pool_number: int
) -> dict[str, Positions]:
    drawn = stratify(labels[pool], sizes, (config.split_seed, pool_number))
    return {split: pool[positions] for split, positions in drawn.items()}


def _check_enough(available: int, sizes: dict[str, int], where: str = "in all") -> None:
    wanted = sum(sizes.values())
    if wanted <= available:
        return
    keys = " + ".join(f"dataset.num_{split}={size}" for split, size in sizes.items() if size)
    split, size = max(sizes.items(), key=lambda item: item[1])
    most = available - (wanted - size)
    remedy = f"Lower dataset.num_{split} to at most {most}." if most >= 1 else f"Lower {' and '.join(_keys(sizes))}."
    raise DataError(
        f"The data set has {available:,} readable images {where}, but {wanted:,} are asked for: {keys}. {remedy}"
    )


def _keys(sizes: dict[str, int]) -> list[str]:
    return [f"dataset.num_{split}" for split in sizes]
