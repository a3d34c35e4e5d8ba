"""Data sets that lie in a folder or a zip: from the configured address to decoded images."""

from __future__ import annotations

import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.archive import ZipSource
from src.data.cache import DecodedImages, open_decoded
from src.data.decoding import decode_image
from src.data.download import download
from src.data.layout import Layout
from src.data.listing import ImageListing
from src.data.source import FileSource, FolderSource
from src.data.storage import cache_folder
from src.errors import DataError

#: The sizes of files that are known beforehand, by their address.
KNOWN_BYTES = {"https://storage.googleapis.com/mledu-datasets/cats_and_dogs_filtered.zip": 68_606_236}


@dataclass(frozen=True, eq=False)
class DecodedFiles:
    """Decoded image files and what their folders tell about them.

    Attributes:
        decoded: All readable images.
        class_names: Names by class number.
        parts: [n], for each readable image `train`, `validation` or `test`, or empty.
    """

    decoded: DecodedImages
    class_names: tuple[str, ...]
    parts: tuple[str, ...]


def open_files(
    kind: str, url: str, image_size: int, cache_dir: str, find_layout: Callable[[FileSource], Layout]
) -> DecodedFiles:
    """Opens the images at an address: a zip by http, https, file:// or path, or a folder by file:// or path.

    Args:
        kind: Kind of data set, for the cache's key.
        url: The address as configured.
        image_size: Side of the square to which the images are resized, in pixels.
        cache_dir: The cache folder as configured.
        find_layout: Finds the images and their classes among the files, or raises `DataError`.

    Raises:
        DataError: The data set cannot be had, or is not laid out as it must be.
        StorageError: The cache folder cannot be written to.
    """
    path = _find_path(url, cache_dir, partial(_check_download, find_layout))
    with _open_source(path, url) as source:
        layout = find_layout(source)
        identity = [
            layout.class_names,
            [(file.name, file.label, file.part, source.stamps[layout.root + file.name]) for file in layout.files],
        ]
        listing = partial(_list_images, source, layout, image_size)
        decoded = open_decoded(kind, identity, source.location, image_size, cache_dir, listing)
    parts = {file.name: file.part for file in layout.files}
    return DecodedFiles(decoded, layout.class_names, tuple(parts[name] for name in decoded.file_names))


def _find_path(url: str, cache_dir: str, check: Callable[[Path], None]) -> Path:
    address = urllib.parse.urlsplit(url)
    match address.scheme.lower():
        case "http" | "https":
            return download(url, cache_folder(cache_dir), KNOWN_BYTES.get(url), check)
        case "file" if address.netloc in ("", "localhost"):
            return Path(urllib.request.url2pathname(address.path)).resolve()
        case scheme if "://" in url:
            host = f"a file on another machine ({address.netloc})" if scheme == "file" else f"{scheme}://"
            raise DataError(f"dataset.url must be http://…, https://…, file:///… or a path, but got {host}: {url}")
        case _:
            return Path(url).expanduser().resolve()


def _open_source(path: Path, url: str) -> FileSource:
    if path.is_dir():
        return FolderSource(path)
    if path.is_file():
        return ZipSource(path)
    meant = f"dataset.url={url}" + (f" means {path}, which" if url != str(path) else "")
    raise DataError(f"{meant} does not exist. Give the path of a folder or a zip, or an address: dataset.url=…")


def _check_download(find_layout: Callable[[FileSource], Layout], path: Path) -> None:
    with ZipSource(path) as source:
        damaged = source.find_damage()
        if damaged is not None:
            raise DataError(f"{path} is damaged: the checksum of its member {damaged} does not fit. Download it again.")
        find_layout(source)


def _list_images(source: FileSource, layout: Layout, image_size: int) -> ImageListing:
    names = tuple(file.name for file in layout.files)

    def decode(position: int) -> NDArray[np.uint8]:
        return decode_image(source.read(layout.root + names[position]), image_size)

    return ImageListing(names, np.asarray([file.label for file in layout.files], dtype=np.int32), decode)
