"""Adam, whose update is one pass over a weight and its two moments."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class Adam(keras.optimizers.Adam):
    """Adam (Kingma and Ba, 2015), Keras's own but for its update, which TensorFlow's kernel for it computes.

    The formula is the same, epsilon's place included. Keras composes it of a dozen operations, each of which reads and
    writes all weights: on a processor, memory makes of that a tenth and more of a step of a small network.
    """

    def update_step(self, gradient: tf.Tensor, variable: Any, learning_rate: tf.Tensor) -> None:
        """Updates a weight and its moments."""
        dtype = variable.dtype
        step = tf.cast(self.iterations + 1, dtype)
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=tf.cast(self.beta_1, dtype) ** step,
            beta2_power=tf.cast(self.beta_2, dtype) ** step,
            lr=tf.cast(learning_rate, dtype),
            beta1=tf.cast(self.beta_1, dtype),
            beta2=tf.cast(self.beta_2, dtype),
            epsilon=tf.cast(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )


class AdamW(Adam, keras.optimizers.AdamW):
    """AdamW (Loshchilov and Hutter, 2019), with the arguments of Keras's; Keras decays the weights before the step."""


def _handle(variable: Any) -> tf.Tensor:
    """Returns the resource behind a variable of TensorFlow's, or behind one of Keras's."""
    return (variable if isinstance(variable, tf.Variable) else variable.value).handle
