"""Decoded images on disk: made once per data set and size, then memory-mapped by every run and process.

<cache_dir>/decoded/<key>/images.npy    uint8 [n, size, size, 3]
                          labels.npy    int32 [n]
                          meta.json     names of the images, the files left out and why, a hash of the pixels
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.decoding import BadImageError
from src.data.entry import open_entry, write_rows
from src.data.listing import ImageListing, decode_all
from src.data.storage import cache_folder
from src.errors import DataError

#: Part of every key: raise it when what is decoded from the same file, or how it is stored, changes.
CACHE_FORMAT = 1


@dataclass(frozen=True, eq=False)
class DecodedImages:
    """All readable images of a data set.

    Attributes:
        images: uint8 [n, size, size, 3], memory-mapped, read-only.
        labels: int32 [n], class numbers.
        file_names: [n], a name per image.
        bad_files: Files left out, each as `name: reason`.
        digest: SHA-256 of the images' pixels, in hex.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    file_names: tuple[str, ...]
    bad_files: tuple[str, ...]
    digest: str


def open_decoded(
    name: str, identity: object, source: str, image_size: int, cache_dir: str, listing: Callable[[], ImageListing]
) -> DecodedImages:
    """Opens a data set's decoded images and decodes them first where the cache does not hold them.

    Of several processes that ask at once, one decodes and the others wait.

    Args:
        name: Kind of data set, the readable start of the cache's key.
        identity: JSON-serializable value that changes whenever the images, their names or their labels may have.
        source: What the images come from, for messages.
        image_size: Side of the images in pixels.
        cache_dir: The cache folder as configured.
        listing: Lists the images; called only if they must be decoded.

    Raises:
        DataError: None of the images can be read.
        StorageError: The cache folder cannot be written to.
    """
    content = json.dumps([CACHE_FORMAT, name, image_size, identity])
    key = f"{name}-{image_size}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    root = cache_folder(cache_dir)
    return open_entry(
        root,
        root / "decoded" / key,
        "cached images",
        partial(_read, image_size=image_size),
        lambda folder: _write(folder, listing(), source, image_size),
        again="decoded",
    )


def _read(folder: Path, image_size: int) -> DecodedImages:
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    labels = np.load(folder / "labels.npy")
    images = np.load(folder / "images.npy", mmap_mode="r")
    decoded = DecodedImages(
        images, labels, tuple(meta["file_names"]), tuple(meta["bad_files"]), str(meta["images_sha256"])
    )
    expected = (len(decoded.file_names), image_size, image_size, 3)
    if images.shape != expected or images.dtype != np.uint8 or labels.shape != expected[:1]:
        raise ValueError(f"{images.dtype} {images.shape} and {labels.shape} found where {expected} was expected")
    return decoded


def _write(folder: Path, listing: ImageListing, source: str, image_size: int) -> None:
    good: list[int] = []
    bad_files: list[str] = []
    digest = hashlib.sha256()
    row_shape = (image_size, image_size, 3)
    with write_rows(folder / "images.npy", np.dtype(np.uint8), row_shape, len(listing.names)) as append:
        for position, image in decode_all(listing, f"Decoding {source} to {image_size} pixels"):
            if isinstance(image, BadImageError):
                bad_files.append(f"{listing.names[position]}: {image}")
                continue
            append(image[None])
            digest.update(np.ascontiguousarray(image).tobytes())
            good.append(position)
    if not good:
        raise DataError(f"None of the {len(listing.names):,} images of {source} can be read: {bad_files[0]}.")
    np.save(folder / "labels.npy", listing.labels[good])
    meta = {
        "file_names": [listing.names[position] for position in good],
        "bad_files": bad_files,
        "images_sha256": digest.hexdigest(),
    }
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
