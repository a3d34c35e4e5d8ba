"""Decoded images on disk: made once per data set and size, then memory-mapped by every run and process.

<cache_dir>/decoded/<key>/images.npy    uint8 [n, size, size, 3]
                          labels.npy    int32 [n]
                          meta.json     names of the images, the files left out and why, a hash of the pixels
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from src.data.decoding import BadImageError
from src.data.listing import ImageListing, decode_all
from src.data.storage import cache_folder, exclusive, storage_errors
from src.errors import DataError

_logger = logging.getLogger(__name__)

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


class _DamagedError(Exception):
    """A cache entry that is there but cannot be what was written; the message is the reason."""


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
    folder = root / "decoded" / key
    try:
        return _read(folder, image_size)
    except (FileNotFoundError, _DamagedError):
        pass  # Looked at again under the lock, when no other process is writing.
    except OSError as error:
        # An entry that cannot be read cannot be replaced either; a full cache folder is reported the same way.
        with storage_errors(root):
            raise error
    with storage_errors(root), exclusive(folder):
        try:
            return _read(folder, image_size)
        except FileNotFoundError:
            pass
        except _DamagedError as error:
            _logger.warning("The cached images in %s are damaged (%s) and are decoded again.", folder, error)
        _write(folder, listing(), source, image_size)
        return _read(folder, image_size)


def _read(folder: Path, image_size: int) -> DecodedImages:
    if not folder.exists():
        raise FileNotFoundError(folder)
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        labels = np.load(folder / "labels.npy")
        images = np.load(folder / "images.npy", mmap_mode="r")
        decoded = DecodedImages(
            images, labels, tuple(meta["file_names"]), tuple(meta["bad_files"]), str(meta["images_sha256"])
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError, EOFError) as error:
        raise _DamagedError(str(error) or type(error).__name__) from error
    expected = (len(decoded.file_names), image_size, image_size, 3)
    if images.shape != expected or images.dtype != np.uint8 or labels.shape != expected[:1]:
        raise _DamagedError(f"{images.dtype} {images.shape} and {labels.shape} found where {expected} was expected")
    return decoded


def _write(folder: Path, listing: ImageListing, source: str, image_size: int) -> None:
    """Decodes into a folder next to the final one and renames it once everything is on disk."""
    unfinished = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(unfinished, ignore_errors=True)  # What a killed process left.
    unfinished.mkdir(parents=True)
    good: list[int] = []
    bad_files: list[str] = []
    digest = hashlib.sha256()
    try:
        # The images are streamed to the file, not written through a memory map: on a full disk a write fails with an
        # error that can be reported, while a page of a memory map that has no room kills the process.
        with (unfinished / "images.npy").open("wb") as file:
            header_size = _write_header(file, len(listing.names), image_size)
            for position, image in decode_all(listing, f"Decoding {source} to {image_size} pixels"):
                if isinstance(image, BadImageError):
                    bad_files.append(f"{listing.names[position]}: {image}")
                    continue
                pixels = np.ascontiguousarray(image).tobytes()
                file.write(pixels)
                digest.update(pixels)
                good.append(position)
            file.seek(0)
            # NumPy pads the header so that it keeps its length when the first dimension changes.
            assert _write_header(file, len(good), image_size) == header_size
            file.flush()
            os.fsync(file.fileno())
        if not good:
            raise DataError(f"None of the {len(listing.names):,} images of {source} can be read: {bad_files[0]}.")
        np.save(unfinished / "labels.npy", listing.labels[good])
        meta = {
            "file_names": [listing.names[position] for position in good],
            "bad_files": bad_files,
            "images_sha256": digest.hexdigest(),
        }
        (unfinished / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write_header(file: IO[bytes], count: int, image_size: int) -> int:
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, image_size, image_size, 3)}
    np.lib.format.write_array_header_1_0(file, header)
    return file.tell()
