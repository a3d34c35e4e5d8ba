"""Measurements of a network on a split, without augmentation and dropout."""

from __future__ import annotations

import keras
import numpy as np

from src.augmentation import RandomWarp
from src.config.augmentation import AugmentationConfig
from src.data.split import Split
from src.training.classifier import TrainableClassifier, compile_classifier
from src.training.pipeline import build_evaluation_batches


def evaluate_classifier(
    classifier: TrainableClassifier, split: Split, *, batch_size: int, head: str
) -> tuple[float, float]:
    """Returns accuracy and cross-entropy on a split, as Keras computes them from float32 logits."""
    batches = build_evaluation_batches(split, batch_size=batch_size, head=head)
    metrics = classifier.evaluate(batches, return_dict=True, verbose=0)
    return float(metrics["accuracy"]), float(metrics["loss"])


def evaluate_network(network: keras.Model, split: Split, *, batch_size: int, head: str) -> tuple[float, float]:
    """Returns what `evaluate_classifier` does, for a network from pixels to logits that is not being trained."""
    classifier = compile_classifier(
        network,
        warp=RandomWarp(AugmentationConfig(name="none", strength=0.0)),
        seed=0,
        optimizer=keras.optimizers.SGD(),
        head=head,
    )
    return evaluate_classifier(classifier, split, batch_size=batch_size, head=head)


def predict_probabilities(classifier: keras.Model, split: Split, *, batch_size: int) -> np.ndarray:
    """Returns the probabilities `[n, classes]` that a classifier of raw images gives to a split's images."""
    batches = build_evaluation_batches(split, batch_size=batch_size, head="softmax")
    return np.asarray(classifier.predict(batches, verbose=0), dtype=np.float32)
