"""Measurements of a network on a split, without augmentation and dropout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from src.data.split import Split
from src.training.inference import can_compile, compile_inference
from src.training.pipeline import load_ahead, load_batches


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a network makes of a split.

    Attributes:
        accuracy: Share of the images whose class it gets right.
        loss: Mean cross-entropy.
        probabilities: What it gives to each class, float32 `[images, classes]`.
    """

    accuracy: float
    loss: float
    probabilities: np.ndarray


def evaluate_split(infer: Callable[[tf.Tensor], tf.Tensor], split: Split, *, batch_size: int) -> Evaluation:
    """Measures a network on a split in one pass.

    Every pass runs the same compiled function, which gives logits; all else is computed from these here. Keras would
    compile one function to evaluate and another one to predict, and take a pass for each.

    Args:
        infer: What `compile_inference` returned for it.
        split: The images, or the features.
        batch_size: How many at a time.
    """
    parts: list[np.ndarray] = []
    ahead: tf.Tensor | None = None
    for batch in load_ahead(load_batches(split, batch_size)):
        # A GPU computes while this goes on; to hand it all batches at once would fill its memory.
        ahead, before = infer(batch), ahead
        if before is not None:
            parts.append(np.asarray(before))
    return measure_logits(np.concatenate([*parts, np.asarray(ahead)]), split.labels)


def measure_logits(logits: np.ndarray, labels: np.ndarray) -> Evaluation:
    """Returns what logits come to; where one is not a number, neither is the loss.

    Args:
        logits: `[images, classes]`, or `[images, 1]` of a sigmoid.
        labels: True classes, integers `[images]`.
    """
    scores = logits.astype(np.float64)
    if scores.shape[1] == 1:
        # A sigmoid is a softmax whose other logit is 0.
        scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
    with np.errstate(all="ignore"):
        scores -= scores.max(axis=1, keepdims=True)
        log_probabilities = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return Evaluation(
            accuracy=float(np.mean(scores.argmax(axis=1) == labels)),
            loss=float(-np.mean(log_probabilities[np.arange(len(labels)), labels])),
            probabilities=np.exp(log_probabilities).astype(np.float32),
        )


def evaluate_network(network: keras.Model, split: Split, *, batch_size: int) -> tuple[float, float]:
    """Returns accuracy and loss of a network from pixels to logits that is not being trained."""
    infer = compile_inference(network, "uint8", jit_compile=can_compile(network))
    evaluation = evaluate_split(infer, split, batch_size=batch_size)
    return evaluation.accuracy, evaluation.loss
