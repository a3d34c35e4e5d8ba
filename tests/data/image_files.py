"""Small images, made where they are needed, and the configurations that name them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from src.config.dataset import CatsVsDogsConfig, DigitsConfig, DogsVsCatsConfig, ImageFolderConfig


def jpeg(number: int, side: int = 12) -> bytes:
    """Returns a JPEG file whose colour depends on the number."""
    return encode(
        Image.new("RGB", (side, side), ((number * 37) % 256, (number * 91) % 256, (number * 13) % 256)), "JPEG"
    )


def encode(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def truncated_jpeg() -> bytes:
    pixels = np.arange(64 * 64 * 3).reshape(64, 64, 3) * 7 % 256
    content = encode(Image.fromarray(pixels.astype(np.uint8)), "JPEG")
    return content[: len(content) // 2]


def pet_files(train: int = 6, validation: int = 4) -> dict[str, bytes]:
    """Returns the files of a small `cats_and_dogs_filtered`, so many images per class."""
    files = {"cats_and_dogs_filtered/vectorize.py": b"pass", "cats_and_dogs_filtered/.DS_Store": b"\0"}
    for part, count in (("train", train), ("validation", validation)):
        for label, pet in enumerate(("cat", "dog")):
            for number in range(count):
                name = f"cats_and_dogs_filtered/{part}/{pet}s/{pet}.{number}.jpg"
                files[name] = jpeg(number + 100 * label + 50 * (part == "train"))
    return files


def flat_files(per_class: int = 8, folder: str = "train/") -> dict[str, bytes]:
    """Returns the files of a small Kaggle *Dogs vs Cats* folder."""
    return {
        f"{folder}{pet}.{number}.jpg": jpeg(number + 100 * (pet == "dog"))
        for pet in ("cat", "dog")
        for number in range(per_class)
    }


def class_files(counts: dict[str, int], folder: str = "") -> dict[str, bytes]:
    """Returns `class/N.png` for each class, so many images each."""
    return {
        f"{folder}{name}/{number}.png": encode(Image.new("RGB", (9, 7), (number, len(name), 40)), "PNG")
        for name, count in counts.items()
        for number in range(count)
    }


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def pets(url: object, cache: Path, **changes: object) -> CatsVsDogsConfig:
    values = {"name": "pets", "image_size": 8, "cache_dir": str(cache), "url": str(url), "num_test": 2} | changes
    return CatsVsDogsConfig(**values)


def flat(url: object, cache: Path, **changes: object) -> DogsVsCatsConfig:
    values = {"name": "flat", "image_size": 8, "cache_dir": str(cache), "url": str(url)}
    return DogsVsCatsConfig(**values | {"num_train": 8, "num_val": 4, "num_test": 4} | changes)


def folder(url: object, cache: Path, **changes: object) -> ImageFolderConfig:
    values = {"name": "mine", "image_size": 8, "cache_dir": str(cache), "url": str(url)} | changes
    return ImageFolderConfig(**values)


def digits(cache: Path, **changes: object) -> DigitsConfig:
    return DigitsConfig(**{"name": "digits", "image_size": 8, "cache_dir": str(cache)} | changes)
