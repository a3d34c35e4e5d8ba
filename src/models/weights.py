"""Pretrained weights: what `model.weights` asks for, and what can be had."""

from __future__ import annotations

import hashlib
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from src.config.model import TransferConfig
from src.errors import ConfigError, WeightsError

#: Seconds of silence after which a download of weights is given up; Keras itself would wait forever.
DOWNLOAD_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class WeightsChoice:
    """Which weights a backbone starts from.

    Attributes:
        source: imagenet, random, or the path of a weights file; logged as `weights_source`.
        fallback_reason: Why `auto` had to start from random weights; None if it did not.
    """

    source: str
    fallback_reason: str | None = None

    @property
    def pretrained(self) -> bool:
        """Whether the backbone has learned something already."""
        return self.source != "random"

    @property
    def keras_argument(self) -> str | None:
        """The `weights` argument of `keras.applications`."""
        return self.source if self.pretrained else None

    @property
    def warning(self) -> str | None:
        """What the person who started the training should know; None where the weights are those asked for."""
        if self.fallback_reason is None:
            return None
        return f"{self.fallback_reason}\nStarting from random weights instead, and training the whole backbone."


def resolve_weights(config: TransferConfig, image_size: int) -> WeightsChoice:
    """Finds out which weights can be had; ImageNet weights are in Keras's cache afterwards.

    Raises:
        WeightsError: `imagenet` cannot be had, or the file named does not exist.
        ConfigError: The images are too small for the backbone.
    """
    match config.weights:
        case "random":
            return WeightsChoice("random")
        case "auto" | "imagenet":
            return _resolve_imagenet(config, image_size)
        case path:
            if not Path(path).expanduser().is_file():
                raise WeightsError(
                    f"model.weights={path} is neither auto, imagenet, random nor a file that exists. Give the path of "
                    f"{config.backbone}'s weights without its top (a .h5 or .weights.h5 file)."
                )
            return WeightsChoice(str(Path(path).expanduser()))


def load_backbone(config: TransferConfig, image_size: int, weights: str | None) -> keras.Model:
    """Builds a `keras.applications` backbone without its top, with weights `imagenet`, a file's, or random (None).

    Raises:
        ConfigError: The images are too small for the backbone.
        WeightsError: The weights do not fit the backbone.
    """
    application = getattr(keras.applications, config.backbone)
    try:
        with warnings.catch_warnings():
            # MobileNetV2 has weights for some sizes and takes those for 224 pixels at any other, which is what we want.
            warnings.filterwarnings("ignore", message="`input_shape` is undefined or non-square")
            # Layers for which a file holds nothing keep random weights, which must not pass for pretrained ones.
            warnings.filterwarnings("error", message="Skipping nested container")
            return application(include_top=False, weights=weights, input_shape=(image_size, image_size, 3))
    except ValueError as error:
        if "Input size must be at least" in str(error):
            raise ConfigError(
                f"dataset.image_size={image_size} is too small for {config.backbone}. Keras says: {error}"
            ) from error
        if weights is None or weights == "imagenet":
            raise
        raise _unfit(config, weights, error) from error
    except (OSError, KeyError, UserWarning) as error:
        if weights is None or weights == "imagenet":
            raise
        raise _unfit(config, weights, error) from error


def digest_weights(model: keras.Model) -> str:
    """Returns the SHA-256, in hex, over a model's weights as it computes with them, wherever they came from."""
    digest = hashlib.sha256()
    for array in model.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _resolve_imagenet(config: TransferConfig, image_size: int) -> WeightsChoice:
    try:
        with _socket_timeout(DOWNLOAD_TIMEOUT_SECONDS):
            load_backbone(config, image_size, "imagenet")
    except ConfigError:
        raise
    except Exception as error:
        # Keras raises a bare Exception for a failed download, so nothing narrower can be caught.
        reason = f"ImageNet weights of {config.backbone} cannot be had: {error}"
        if config.weights == "auto":
            return WeightsChoice("random", fallback_reason=reason)
        raise WeightsError(
            f"{reason}\nEither connect to the network once, so that Keras can cache them; or give their file with "
            "model.weights=PATH; or start from random weights with model.weights=random."
        ) from error
    return WeightsChoice("imagenet")


def _unfit(config: TransferConfig, weights: str, error: Exception) -> WeightsError:
    return WeightsError(
        f"model.weights={weights} does not fit {config.backbone} without its top. Keras says: {error}\n"
        "Give a file saved from that backbone with include_top=False."
    )


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
