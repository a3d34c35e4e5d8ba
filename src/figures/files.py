"""Pictures as files: PNG, encoded for speed, and never seen half-written."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

from PIL import Image

from src.errors import StorageError
from src.whole_file import write_whole


def encode_picture(picture: Image.Image) -> bytes:
    """Returns a picture as PNG."""
    file = io.BytesIO()
    # Run lengths take a third of the time of a search for repetitions, and half as much again of the disk where much is
    # repeated; photographs even become smaller.
    picture.save(file, format="png", compress_level=1, compress_type=zlib.Z_RLE)
    return file.getvalue()


def write_picture(encoded: bytes, path: Path) -> None:
    """Writes an encoded picture; the file appears under its name only once it is complete.

    Raises:
        StorageError: The file cannot be written.
    """
    try:
        write_whole(path, encoded)
    except OSError as error:
        raise StorageError(f"The picture {path} cannot be written: {error.strerror or error}.") from error
