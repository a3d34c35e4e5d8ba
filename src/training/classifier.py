"""A network ready to be trained: augmentation in front of it, loss and accuracy behind it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import keras
import tensorflow as tf

from src.augmentation import RandomWarp


class TrainableClassifier(keras.Model):
    """Trains a network on raw uint8 images, warping each training batch on the device that computes the step.

    The warp of a step depends on the run's seed and the number of the step alone, so a run can be repeated, and
    continued from a checkpoint, image for image. Evaluation sees images as they are.
    """

    def __init__(self, network: keras.Model, warp: RandomWarp, seed: int) -> None:
        """Takes a network from float32 pixels to logits."""
        # The precision policy belongs to the network's layers; here it would round the pixels on their way in.
        super().__init__(dtype="float32", name=f"trainable_{network.name}")
        self.network = network
        self.warp = warp
        self.seed = seed

    @cached_property
    def infer(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Returns the logits of uint8 images as `call` does, without dropout, compiled once for any number of them."""
        images = tf.TensorSpec((None, *self.network.input_shape[1:]), tf.uint8)
        # As a closure over the network alone: what Keras finds among its own attributes it takes for a part of itself.
        network = self.network
        infer: Callable[[tf.Tensor], tf.Tensor] = tf.function(
            lambda batch: network(tf.cast(batch, tf.float32), training=False),
            input_signature=[images],
            jit_compile=self.jit_compile,
            autograph=False,
        )
        return infer

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns the logits of images `[batch, size, size, 3]`, uint8 or float32, 0..255."""
        return self.network(tf.cast(images, tf.float32), training=training)

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Warps a batch, then takes Keras's own training step with it."""
        images, labels = data
        if not self.warp.is_identity:
            step = tf.cast(self.optimizer.iterations, tf.int32)
            images = self.warp(images, tf.stack([self.seed, step]))
        metrics: dict[str, tf.Tensor] = super().train_step((images, labels))
        return metrics


def compile_classifier(
    network: keras.Model, *, warp: RandomWarp, seed: int, optimizer: keras.optimizers.Optimizer, head: str
) -> TrainableClassifier:
    """Joins network, augmentation, optimizer, loss and accuracy; the loss is computed from float32 logits."""
    classifier = TrainableClassifier(network, warp, seed)
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
