"""From the bytes of one image file to a square RGB array."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

# The formats that photographs come in. Pillow's others include ones that start another program to be decoded.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")


class BadImageError(Exception):
    """One file that is no image, or a damaged one; the message is the reason, without the file's name."""


def decode_image(content: bytes, image_size: int) -> NDArray[np.uint8]:
    """Decodes an image and squashes it to a square, whatever its own proportions.

    Transparency is dropped, an animation gives its first picture, and a photograph is turned upright as its EXIF
    orientation says.

    Args:
        content: The file.
        image_size: Side of the square in pixels.

    Returns:
        uint8 [image_size, image_size, 3], RGB.

    Raises:
        BadImageError: The content is no image, or not a whole one.
    """
    if not content:
        raise BadImageError("the file is empty")
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            # Loading raises on a truncated file, because ImageFile.LOAD_TRUNCATED_IMAGES is left off.
            image.load()
            return resize_image(_to_rgb(_upright(image)), image_size)
    except UnidentifiedImageError as error:
        raise BadImageError("it is no image of a format that can be read") from error
    except Exception as error:
        # Pillow's decoders raise about anything on damaged content: OSError, SyntaxError, ValueError, struct.error …
        raise BadImageError(str(error) or type(error).__name__) from error


def resize_image(image: Image.Image, image_size: int) -> NDArray[np.uint8]:
    """Resizes an RGB image to a square with Pillow's bilinear filter.

    Returns:
        uint8 [image_size, image_size, 3].
    """
    # Pillow's bilinear filter widens when it shrinks an image, that is, it antialiases; tf.image.resize does not
    # unless told to. Small pictures of large photographs are smoother here.
    square = image.resize((image_size, image_size), Image.Resampling.BILINEAR)
    return np.asarray(square, dtype=np.uint8)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        # Broken EXIF data is common in photographs from the web and says nothing about the pixels.
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # A 16-bit grey image: Pillow's own conversion would clip every value above 255 to white.
        return Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")
