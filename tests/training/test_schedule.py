from __future__ import annotations

import keras
import numpy as np
import pytest

from src.config.optimizer import AdamConfig
from src.training.schedule import LearningRate


def schedule(config: AdamConfig) -> np.ndarray:
    return LearningRate(config, epochs=10, steps_per_epoch=10).at(np.arange(100))


def test_a_constant_learning_rate_is_the_same_at_every_step() -> None:
    np.testing.assert_array_equal(schedule(AdamConfig(name="adam", learning_rate=0.25)), np.float32(0.25))


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("warmup_epochs", [0.0, 0.25, 2.0])
def test_a_cosine_is_that_of_keras(warmup_epochs: float, alpha: float) -> None:
    config = AdamConfig(name="adam", learning_rate=0.5, schedule="cosine", warmup_epochs=warmup_epochs, alpha=alpha)
    warmup_steps = int(np.ceil(warmup_epochs * 10))
    keras_schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else 0.5,
        decay_steps=100 - warmup_steps,
        alpha=alpha,
        warmup_target=0.5 if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
    np.testing.assert_allclose(
        schedule(config), [float(keras_schedule(step)) for step in range(100)], rtol=1e-5, atol=1e-7
    )


def test_a_warm_up_climbs_to_a_constant() -> None:
    rates = schedule(AdamConfig(name="adam", learning_rate=1.0, warmup_epochs=1.0))
    np.testing.assert_allclose(rates[:10], np.arange(10) / 10, rtol=1e-6)
    np.testing.assert_array_equal(rates[10:], 1)
