from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from src.training.dropout import adjust_dropout


def build_network(rate: float, dtype: str) -> keras.Model:
    inputs = keras.Input((64,), dtype=dtype)
    hidden = keras.layers.Dense(32, name="first", dtype=dtype)(inputs)
    dropped = keras.layers.Dropout(rate, seed=7, dtype=dtype)(hidden)
    return keras.Model(inputs, keras.layers.Dropout(rate, seed=8, dtype=dtype)(dropped))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("rate", [0.1, 0.37, 0.9])
def test_an_adjusted_rate_drops_and_scales_what_a_dropout_layer_with_that_rate_does(rate: float, dtype: str) -> None:
    fixed, variable = build_network(rate, dtype), tf.Variable(rate, dtype=tf.float64)
    adjusted = adjust_dropout(build_network(0.5, dtype), variable)
    adjusted.set_weights(fixed.get_weights())
    images = np.random.default_rng(0).normal(size=(16, 64)).astype(np.float32)
    for _ in range(3):
        expected = np.asarray(tf.cast(fixed(images, training=True), tf.float32))
        got = np.asarray(tf.cast(adjusted(images, training=True), tf.float32))
        np.testing.assert_array_equal(got, expected)
    assert np.mean(got == 0) == pytest.approx(1 - (1 - rate) ** 2, abs=0.1)


def test_a_compiled_step_follows_the_rate() -> None:
    rate = tf.Variable(0.0, dtype=tf.float64)
    network = adjust_dropout(build_network(0.5, "float32"), rate)
    step = tf.function(lambda images: network(images, training=True))
    images = tf.ones((200, 64))
    dropped = []
    for value in (0.2, 0.7):
        rate.assign(value)
        dropped.append(np.mean(step(images) == 0))
    assert dropped == pytest.approx([1 - 0.8**2, 1 - 0.3**2], abs=0.05)


def test_all_other_layers_are_the_networks_own() -> None:
    network = build_network(0.5, "float32")
    adjusted = adjust_dropout(network, tf.Variable(0.5, dtype=tf.float64))
    assert adjusted.get_layer("first") is network.get_layer("first")
    assert [id(weight) for weight in adjusted.trainable_variables] == [id(w) for w in network.trainable_variables]


def test_nothing_is_dropped_outside_of_training() -> None:
    network = build_network(0.5, "float32")
    images = np.ones((4, 64), np.float32)
    np.testing.assert_array_equal(adjust_dropout(network, tf.Variable(0.5, dtype=tf.float64))(images), network(images))
