"""scikit-learn's 1,797 handwritten digits as small RGB images."""

from __future__ import annotations

import importlib.metadata
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.config.dataset import DigitsConfig
from src.data.cache import DecodedImages, open_decoded
from src.data.decoding import resize_image
from src.data.listing import ImageListing

CLASS_NAMES = tuple("0123456789")

_SOURCE = "scikit-learn's digits"


def open_digits(config: DigitsConfig) -> DecodedImages:
    """Opens the digits, resized to the configured size and repeated over three channels."""
    # The version is read without importing scikit-learn, which takes longer than opening the cache.
    identity = ("digits", importlib.metadata.version("scikit-learn"))
    list_digits = partial(_list_digits, config.image_size)
    return open_decoded("digits", identity, _SOURCE, config.image_size, config.cache_dir, list_digits)


def _list_digits(image_size: int) -> ImageListing:
    from sklearn.datasets import load_digits

    digits = load_digits()
    # The pixels count how many of 16 dots are black: 0 to 16.
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)

    def decode(position: int) -> NDArray[np.uint8]:
        return resize_image(Image.fromarray(pixels[position]).convert("RGB"), image_size)

    names = tuple(f"digit {position}" for position in range(len(pixels)))
    return ImageListing(names, np.asarray(digits.target, dtype=np.int32), decode)
