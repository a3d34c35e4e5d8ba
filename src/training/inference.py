"""What a network makes of a batch, as one compiled function."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import keras
import tensorflow as tf


def compile_inference(network: keras.Model, input_dtype: str, *, jit_compile: bool) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns what a network makes of a batch, without dropout, as one function for batches of any size.

    Args:
        network: From float32 pixels or features to anything.
        input_dtype: Type of what it is given.
        jit_compile: Whether XLA compiles it.
    """
    batch = tf.TensorSpec((None, *network.input_shape[1:]), input_dtype)
    infer: Callable[[tf.Tensor], tf.Tensor] = tf.function(
        partial(_infer, network),
        input_signature=[batch],
        jit_compile=jit_compile,
        autograph=False,
    )
    return infer


def _infer(network: keras.Model, inputs: tf.Tensor) -> tf.Tensor:
    return network(tf.cast(inputs, network.input.dtype), training=False)


def can_compile(network: keras.Model) -> bool:
    """Returns whether XLA shall compile a network, as Keras itself decides it for `jit_compile="auto"`.

    On a CPU it would take three times as long as without; and it does not repeat a computation to the last digit.
    """
    from tensorflow.python.framework.config import is_op_determinism_enabled

    return (
        bool(tf.config.get_visible_devices("GPU"))
        and not is_op_determinism_enabled()
        and all(layer.supports_jit for layer in network._flatten_layers())
    )
