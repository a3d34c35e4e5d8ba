from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

from src.config.optimizer import AdamConfig, AdamWConfig, OptimizerConfig, RMSpropConfig, SGDConfig
from src.training.optimizer import build_optimizer


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (AdamConfig(name="adam", learning_rate=0.25), keras.optimizers.Adam),
        (AdamWConfig(name="adamw", learning_rate=0.25), keras.optimizers.AdamW),
        (RMSpropConfig(name="rmsprop", learning_rate=0.25), keras.optimizers.RMSprop),
        (SGDConfig(name="sgd", learning_rate=0.25), keras.optimizers.SGD),
    ],
)
def test_each_configuration_builds_its_optimizer(config: OptimizerConfig, kind: type) -> None:
    optimizer = build_optimizer(config, precision="float32")
    assert isinstance(optimizer, kind)
    assert float(optimizer.learning_rate) == pytest.approx(0.25)


def test_the_arguments_arrive_under_keras_names() -> None:
    config = SGDConfig(name="sgd", learning_rate=0.1, momentum=0.9, nesterov=True, global_clipnorm=2.0)
    optimizer = build_optimizer(config, precision="float32")
    assert (optimizer.momentum, optimizer.nesterov, optimizer.global_clipnorm) == (0.9, True, 2.0)


@pytest.mark.parametrize("limit", [{}, {"global_clipnorm": 0.5}, {"clipvalue": 0.1}])
@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (AdamConfig(name="adam", learning_rate=0.1, beta_1=0.8, beta_2=0.9, epsilon=1e-3), keras.optimizers.Adam),
        (AdamWConfig(name="adamw", learning_rate=0.1, weight_decay=0.3), keras.optimizers.AdamW),
    ],
)
def test_adam_in_one_pass_moves_weights_as_keras_does(config: AdamConfig, kind: type, limit: dict[str, Any]) -> None:
    config = replace(config, **limit)
    arguments = {"beta_1": config.beta_1, "beta_2": config.beta_2, "epsilon": config.epsilon, **limit}
    if isinstance(config, AdamWConfig):
        arguments["weight_decay"] = config.weight_decay
    weights = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    results = []
    for optimizer in (build_optimizer(config, precision="float32"), kind(learning_rate=0.1, **arguments)):
        variable = keras.Variable(weights)
        optimizer.build([variable])
        generator = np.random.default_rng(0)
        for step in range(20):
            optimizer.learning_rate = 0.1 / (step + 1)
            optimizer.apply([generator.normal(size=weights.shape).astype(np.float32)], [variable])
        results.append(variable.numpy())
    np.testing.assert_allclose(results[0], results[1], rtol=1e-4, atol=1e-6)
    assert not np.allclose(results[0], weights, atol=0.01)
