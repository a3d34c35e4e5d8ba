"""Dropout whose rate a compiled step takes as a value, so that the next trial's rate needs no compilation."""

from __future__ import annotations

import keras
import tensorflow as tf


class AdjustableDropout(keras.layers.Layer):
    """Stands in for a `Dropout` layer and draws the same numbers, but reads the rate from a variable.

    At any rate above 0 it drops exactly what the layer would drop, and scales what it keeps by the same factor.
    """

    def __init__(self, layer: keras.layers.Dropout, rate: tf.Variable) -> None:
        """Takes the layer, whose random state it shares, and the rate: a float64 scalar of at least 0 and below 1."""
        super().__init__(name=layer.name, dtype=layer.dtype_policy)
        self._draw_from = layer.seed_generator
        self._adjusted = rate

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns inputs of any shape, in training with some set to 0 and the others scaled up for it."""
        if not training:
            return inputs
        rate = tf.convert_to_tensor(self._adjusted)
        draws = keras.random.uniform(tf.shape(inputs), dtype=inputs.dtype, seed=self._draw_from)
        kept = draws >= tf.cast(rate, inputs.dtype)
        # In float64 as Python computes it, where 1 - .9 is not yet rounded to anything that shows.
        return tf.where(kept, inputs * tf.cast(1 / (1 - rate), inputs.dtype), tf.zeros_like(inputs))


def adjust_dropout(network: keras.Model, rate: tf.Variable) -> keras.Model:
    """Returns the network with its own dropout layers replaced; all others are the same ones, with the same weights.

    Dropout inside of a backbone stays as it is.
    """

    def replace(layer: keras.layers.Layer) -> keras.layers.Layer:
        return AdjustableDropout(layer, rate) if type(layer) is keras.layers.Dropout else layer

    return keras.models.clone_model(network, clone_function=replace)
