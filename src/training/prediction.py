"""Predictions of a trained network."""

from __future__ import annotations

import keras
import numpy as np

from src.data.split import Split
from src.training.pipeline import build_evaluation_batches


def predict_probabilities(classifier: keras.Model, split: Split, *, batch_size: int) -> np.ndarray:
    """Returns the probabilities `[n, classes]` that a classifier of raw images gives to a split's images."""
    batches = build_evaluation_batches(split, batch_size=batch_size, head="softmax")
    return np.asarray(classifier.predict(batches, verbose=0), dtype=np.float32)


def measure_predictions(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Returns accuracy and cross-entropy of probabilities `[n, classes]` against class numbers `[n]`."""
    accuracy = float(np.mean(probabilities.argmax(axis=1) == labels))
    true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    # Keras's own lower bound, lest one certain mistake makes the loss infinite.
    return accuracy, float(-np.log(np.maximum(true, 1e-7)).mean())
