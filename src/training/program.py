"""A network compiled for training: steps and measurements as functions that trainings of one shape share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.augmentation import RandomWarp
from src.config.augmentation import AugmentationConfig
from src.training.dropout import adjust_dropout
from src.training.inference import can_compile, compile_inference
from src.training.pipeline import StepBatches


class TrainingProgram:
    """Takes training steps with a network on raw uint8 images, or with a head on features, and measures it.

    To trace a step takes as long as a hundred steps of a small network. So what differs most often between the trials
    of a search, the seed, the dropout rate, the learning rate and the strength of the augmentation, are values that
    the traced step reads; and `restart` sets back all that a training has changed, for the next one.

    The warp of a step depends on the seed and the number of the step alone, so a run can be repeated, and continued
    from a checkpoint, image for image. Measurements see images as they are.

    Attributes:
        network: From float32 pixels, or features, to logits.
        optimizer: What takes the steps; its learning rate is that of the last one.
        infer: Gives the logits of a batch of images or features, without dropout.
    """

    def __init__(
        self,
        network: keras.Model,
        *,
        input_dtype: str,
        augmentation: AugmentationConfig | None,
        optimizer: keras.optimizers.Optimizer,
        head: str,
    ) -> None:
        """Traces nothing yet.

        Args:
            network: The network, or the head.
            input_dtype: Type of what it is given: uint8 for images, or that of the features.
            augmentation: How training batches of images are warped; None for not at all.
            optimizer: A new one.
            head: `sigmoid` or `softmax`.
        """
        self.network = network
        self.optimizer = optimizer
        # Otherwise it makes its variables within the first step, which then is traced twice.
        optimizer.build(network.trainable_variables)
        self._scalars = {id(value): value.numpy() for value in optimizer.variables if value.shape == ()}
        self._seed = tf.Variable(0, trainable=False)
        self._dropout = tf.Variable(0.0, trainable=False, dtype=tf.float64)
        self._strength = tf.Variable(1.0, trainable=False)
        warp = None if augmentation is None else RandomWarp(augmentation)
        self._warp = None if warp is None or warp.is_identity else warp
        self._network_in_training = adjust_dropout(network, self._dropout)
        self._head = head
        compiled = can_compile(network)
        # A loop whose length differs from call to call would be compiled for each; a step is so once.
        self._step = (
            tf.function(self._define_step, jit_compile=True, autograph=False) if compiled else self._define_step
        )
        # Methods of several programs would be one function to TensorFlow, which warned that it is traced so often.
        self._loop = tf.function(
            partial(self._define_loop),
            input_signature=[
                tf.TensorSpec((None, None, *network.input_shape[1:]), input_dtype),
                tf.TensorSpec((None, None, 1), tf.float32)
                if head == "sigmoid"
                else tf.TensorSpec((None, None), tf.int32),
                tf.TensorSpec((None,), tf.float32),
                tf.TensorSpec((None,), tf.int32),
            ],
            autograph=False,
        )
        self.infer: Callable[[tf.Tensor], tf.Tensor] = compile_inference(network, input_dtype, jit_compile=compiled)

    def begin(self, *, seed: int, dropout: float, strength: float) -> None:
        """Sets the values of the training that is to come.

        Args:
            seed: Seed of its warps.
            dropout: Rate of the network's dropout layers, where it has any.
            strength: Strength of its augmentation, where it has one.
        """
        self._seed.assign(seed)
        self._dropout.assign(dropout)
        self._strength.assign(strength)

    def fits(self, network: keras.Model) -> bool:
        """Returns whether a network has variables like those of this one: as many, of the same shapes and uses."""

        def describe(model: keras.Model) -> list[tuple[object, ...]]:
            trained = {id(variable) for variable in model.trainable_variables}
            return [(value.shape, value.dtype, id(value) in trained) for value in model.variables]

        return describe(network) == describe(self.network)

    def restart(self, network: keras.Model) -> None:
        """Sets everything back for a training that begins with the weights and the random state of a new network.

        Args:
            network: One that `fits`; it is not trained itself.
        """
        for mine, new in zip(self.network.variables, network.variables, strict=True):
            mine.assign(new.value)
        for variable in self.optimizer.variables:
            # What an optimizer remembers of each weight is 0 at first, with every optimizer there is here.
            variable.assign(self._scalars.get(id(variable), tf.zeros(variable.shape, variable.dtype)))

    def take_steps(
        self, batches: StepBatches, learning_rates: NDArray[np.float32], numbers: NDArray[np.int32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Takes a step with each of the batches in turn.

        Args:
            batches: The batches.
            learning_rates: That of each step.
            numbers: The number of each step within the training, by which its warps are drawn.

        Returns:
            Loss and accuracy of each batch before its step, float32 `[steps]` each.
        """
        losses, accuracies = self._loop(batches.inputs, batches.labels, learning_rates, numbers)
        return losses.numpy(), accuracies.numpy()

    def _define_loop(
        self, inputs: tf.Tensor, labels: tf.Tensor, learning_rates: tf.Tensor, numbers: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        count = tf.shape(learning_rates)[0]
        arrays = tuple(tf.TensorArray(tf.float32, count, element_shape=()) for _ in range(2))

        def step(index: tf.Tensor, losses: tf.TensorArray, accuracies: tf.TensorArray) -> tuple[object, ...]:
            loss, accuracy = self._step(inputs[index], labels[index], learning_rates[index], numbers[index])
            return index + 1, losses.write(index, loss), accuracies.write(index, accuracy)

        _, losses, accuracies = tf.while_loop(
            lambda index, *_: index < count, step, (0, *arrays), parallel_iterations=1
        )
        return losses.stack(), accuracies.stack()

    def _define_step(
        self, inputs: tf.Tensor, labels: tf.Tensor, learning_rate: tf.Tensor, number: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if self._warp is not None:
            inputs = self._warp(inputs, tf.stack([tf.convert_to_tensor(self._seed), number]), self._strength)
        variables = self.network.trainable_variables
        with tf.GradientTape() as tape:
            logits = self._network_in_training(tf.cast(inputs, self.network.input.dtype), training=True)
            loss = tf.reduce_mean(_measure_loss(labels, logits, self._head))
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, variables)
        self.optimizer.learning_rate = learning_rate
        self.optimizer.apply(gradients, variables)
        return loss, tf.reduce_mean(_measure_accuracy(labels, logits, self._head))


def _measure_loss(labels: tf.Tensor, logits: tf.Tensor, head: str) -> tf.Tensor:
    """Returns the cross-entropy of each example, from float32 logits."""
    if head == "sigmoid":
        return keras.losses.binary_crossentropy(labels, logits, from_logits=True)
    return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def _measure_accuracy(labels: tf.Tensor, logits: tf.Tensor, head: str) -> tf.Tensor:
    """Returns 1 for each example that is right, else 0."""
    if head == "sigmoid":
        # The sign of a logit says which of the two classes it stands for.
        return tf.cast(tf.equal(tf.cast(logits > 0, labels.dtype), labels), tf.float32)
    return tf.cast(tf.equal(tf.argmax(logits, axis=1, output_type=labels.dtype), labels), tf.float32)
