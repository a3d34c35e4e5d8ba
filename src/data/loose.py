"""Image files that belong to no data set: named one by one, or by the folders that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.config.dataset import ImageFolderConfig
from src.data.decoding import BadImageError, decode_image
from src.data.layout import is_image, list_names
from src.data.source import FolderSource
from src.errors import DataError


def find_images(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Returns the files that are named, and the images in the folders that are, at any depth and in natural order.

    What is named itself is taken for an image whatever its ending; in a folder the endings of `dataset=image_folder`
    decide, and hidden files are left out.

    Raises:
        DataError: A path does not exist, or a folder cannot be listed or holds no image.
    """
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise DataError(f"There is no file or folder {list_names(missing)}. Check the spelling.")
    endings = tuple(ImageFolderConfig().extensions)
    images: list[Path] = []
    for path in paths:
        if not path.is_dir():
            images.append(path)
            continue
        inside = [name for name in FolderSource(path).files("", below=True) if is_image(name, endings)]
        if not inside:
            raise DataError(
                f"The folder {path} holds no image ({', '.join(endings)}), at any depth. Name another folder, or files "
                "of other endings one by one."
            )
        images += [path / name for name in inside]
    return tuple(images)


def read_images(paths: Sequence[Path], image_size: int) -> list[NDArray[np.uint8] | BadImageError]:
    """Decodes files as the images of a data set are decoded, several at a time.

    Returns:
        For each file uint8 `[image_size, image_size, 3]`, or the reason why there is no image.
    """

    def read(path: Path) -> NDArray[np.uint8] | BadImageError:
        try:
            return decode_image(path.read_bytes(), image_size)
        except BadImageError as error:
            return error
        except OSError as error:
            return BadImageError(f"the file cannot be read: {error.strerror or error}")

    with ThreadPoolExecutor() as pool:
        return list(pool.map(read, paths))
