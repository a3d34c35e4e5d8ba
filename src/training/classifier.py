"""A network ready to be trained: augmentation in front of it, loss and accuracy behind it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import keras
import tensorflow as tf

from src.augmentation import RandomWarp


class TrainableClassifier(keras.Model):
    """Trains a network on raw uint8 images, warping each training batch on the device that computes the step.

    Or it trains a head on features, as they are. The warp of a step depends on the run's seed and the number of the
    step alone, so a run can be repeated, and continued from a checkpoint, image for image. Evaluation sees images as
    they are.
    """

    def __init__(self, network: keras.Model, input_dtype: str, warp: RandomWarp | None, seed: int) -> None:
        """Takes a network from float32 pixels to logits, or a head from features to logits.

        Args:
            network: The network, or the head.
            input_dtype: Type of what it is given: uint8 for images, or that of the features.
            warp: How training batches of images are warped; None for not at all.
            seed: Seed of the warp.
        """
        # The precision policy belongs to the network's layers; here it would round the pixels on their way in.
        super().__init__(dtype="float32", name=f"trainable_{network.name}")
        self.network = network
        self.given_dtype = input_dtype
        self.warp = warp
        self.seed = seed

    @cached_property
    def infer(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Returns the logits of images or features as `call` does, without dropout, compiled once for any number."""
        return compile_inference(self.network, self.given_dtype, jit_compile=self.jit_compile)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns the logits of images `[batch, size, size, 3]`, uint8 or float32, 0..255; or of features."""
        return self.network(tf.cast(inputs, self.network.input.dtype), training=training)

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Warps a batch, then takes Keras's own training step with it."""
        inputs, labels = data
        if self.warp is not None and not self.warp.is_identity:
            step = tf.cast(self.optimizer.iterations, tf.int32)
            inputs = self.warp(inputs, tf.stack([self.seed, step]))
        metrics: dict[str, tf.Tensor] = super().train_step((inputs, labels))
        return metrics


def compile_inference(network: keras.Model, input_dtype: str, *, jit_compile: bool) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns what a network makes of a batch, without dropout, as one function for batches of any size.

    Args:
        network: From float32 pixels or features to anything.
        input_dtype: Type of what it is given.
        jit_compile: Whether XLA compiles it.
    """
    batch = tf.TensorSpec((None, *network.input_shape[1:]), input_dtype)
    # As a closure over the network alone: what Keras finds among its own attributes it takes for a part of itself.
    infer: Callable[[tf.Tensor], tf.Tensor] = tf.function(
        lambda inputs: network(tf.cast(inputs, network.input.dtype), training=False),
        input_signature=[batch],
        jit_compile=jit_compile,
        autograph=False,
    )
    return infer


def compile_classifier(
    network: keras.Model,
    *,
    input_dtype: str = "uint8",
    warp: RandomWarp | None,
    seed: int,
    optimizer: keras.optimizers.Optimizer,
    head: str,
) -> TrainableClassifier:
    """Joins network, augmentation, optimizer, loss and accuracy; the loss is computed from float32 logits."""
    classifier = TrainableClassifier(network, input_dtype, warp, seed)
    if head == "sigmoid":
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        accuracy = keras.metrics.MeanMetricWrapper(fn=logit_accuracy, name="accuracy")
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    # XLA takes three times as long on a CPU; Keras's auto switches it on for GPUs only.
    classifier.compile(optimizer=optimizer, loss=loss, metrics=[accuracy], jit_compile="auto")
    # Otherwise it makes its variables within the first step, which then is traced twice.
    optimizer.build(network.trainable_variables)
    return classifier


def logit_accuracy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns per example whether the sign of its logit `[batch, 1]` says its label, 0 or 1."""
    return keras.ops.cast(keras.ops.equal(keras.ops.cast(logits > 0, labels.dtype), labels), "float32")
