"""The head: from features to logits, and from logits to probabilities."""

from __future__ import annotations

import keras

from src.config.model import ModelConfig
from src.errors import ConfigError


def count_logits(config: ModelConfig, num_classes: int) -> int:
    """Returns how many logits the head has: one per class, or a single one for a sigmoid.

    Raises:
        ConfigError: A sigmoid head is asked for a number of classes other than two.
    """
    if config.head == "sigmoid" and num_classes != 2:
        raise ConfigError(
            f"model.head=sigmoid separates two classes, but the data set has {num_classes}. Set model.head=softmax."
        )
    return 1 if config.head == "sigmoid" else num_classes


def drop_out(features: keras.KerasTensor, rate: float) -> keras.KerasTensor:
    """Applies dropout, or nothing where the rate is 0."""
    return keras.layers.Dropout(rate)(features) if rate > 0 else features


def attach_dense(features: keras.KerasTensor, config: ModelConfig) -> keras.KerasTensor:
    """Applies dropout and the dense layers in the order that `dropout_position` gives."""
    if config.dropout_position in ("before_dense", "both"):
        features = drop_out(features, config.dropout)
    for units in config.dense_units:
        features = keras.layers.Dense(units, activation=config.dense_activation)(features)
        if config.dropout_position in ("after_dense", "both"):
            features = drop_out(features, config.dropout)
    return features


def attach_logits(features: keras.KerasTensor, num_logits: int) -> keras.KerasTensor:
    """Applies the last dense layer; logits are float32 under any precision policy."""
    return keras.layers.Dense(num_logits, dtype="float32", name="head")(features)


def compute_probabilities(logits: keras.KerasTensor) -> keras.KerasTensor:
    """Turns logits `[batch, classes]`, or `[batch, 1]` of a sigmoid, into probabilities `[batch, classes]`."""
    if logits.shape[-1] > 1:
        return keras.ops.softmax(logits, axis=-1)
    positive = keras.ops.sigmoid(logits)
    return keras.ops.concatenate([1.0 - positive, positive], axis=-1)
