"""Networks from scratch: convolutions with their poolings, then dense layers."""

from __future__ import annotations

import keras

from src.config.model import CnnConfig
from src.errors import ConfigError
from src.models.head import attach_dense, attach_logits, count_logits
from src.models.scaling import scale_pixels

_POOLINGS = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}


def build_cnn(config: CnnConfig, image_size: int, num_classes: int) -> keras.Model:
    """Builds a network from float32 pixels `[batch, size, size, 3]` in 0..255 to logits.

    Raises:
        ConfigError: The images are too small for the convolutions, or the head does not fit the classes.
    """
    check_map_size(config, image_size)
    num_logits = count_logits(config, num_classes)
    pixels = keras.Input((image_size, image_size, 3), name="pixels")
    features = scale_pixels(pixels, config.scaling)
    poolings = config.pooling if len(config.pooling) > 1 else config.pooling * len(config.conv_filters)
    for filters, pooling in zip(config.conv_filters, poolings, strict=True):
        features = keras.layers.Conv2D(filters, config.kernel_size, padding=config.padding, activation="relu")(features)
        if pooling != "none":
            features = _POOLINGS[pooling](2)(features)
    if config.dense_on == "feature_map":
        features = keras.layers.Flatten()(attach_dense(features, config))
    else:
        features = attach_dense(keras.layers.Flatten()(features), config)
    return keras.Model(pixels, attach_logits(features, num_logits), name=config.name)


def check_map_size(config: CnnConfig, image_size: int) -> None:
    """Follows the feature map's side through the layers.

    Raises:
        ConfigError: A layer would get a map smaller than its kernel or its pooling window.
    """
    side = image_size
    poolings = config.pooling if len(config.pooling) > 1 else config.pooling * len(config.conv_filters)
    for number, pooling in enumerate(poolings, start=1):
        if config.padding == "valid":
            side -= config.kernel_size - 1
        if pooling != "none":
            side //= 2
        if side < 1:
            raise ConfigError(
                f"dataset.image_size={image_size} is too small for model.conv_filters={config.conv_filters}: nothing "
                f"is left of the image after convolution {number}. Use larger images, fewer convolutions, "
                "model.padding=same, or model.pooling with none."
            )
