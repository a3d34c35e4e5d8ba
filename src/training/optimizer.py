"""Optimizers."""

from __future__ import annotations

import keras

from src.config.optimizer import AdamConfig, AdamWConfig, OptimizerConfig, RMSpropConfig, SGDConfig
from src.training.adam import Adam, AdamW


def build_optimizer(config: OptimizerConfig, *, precision: str) -> keras.optimizers.Optimizer:
    """Builds the optimizer that a configuration describes; float16 gets loss scaling, lest gradients vanish.

    Its learning rate is the configured one; whoever takes steps with it sets that of each.

    Args:
        config: The optimizer and its arguments.
        precision: The precision that the network computes in.

    Raises:
        TypeError: There is no builder for the configuration's type.
    """
    common = {
        "learning_rate": config.learning_rate,
        "clipnorm": config.clipnorm,
        "clipvalue": config.clipvalue,
        "global_clipnorm": config.global_clipnorm,
    }
    optimizer: keras.optimizers.Optimizer
    match config:
        case AdamWConfig():
            adam = {"beta_1": config.beta_1, "beta_2": config.beta_2, "epsilon": config.epsilon}
            optimizer = AdamW(weight_decay=config.weight_decay, **adam, **common)
        case AdamConfig():
            adam = {"beta_1": config.beta_1, "beta_2": config.beta_2, "epsilon": config.epsilon}
            optimizer = Adam(**adam, **common)
        case RMSpropConfig():
            optimizer = keras.optimizers.RMSprop(
                rho=config.rho,
                momentum=config.momentum,
                epsilon=config.epsilon,
                centered=config.centered,
                **common,
            )
        case SGDConfig():
            optimizer = keras.optimizers.SGD(momentum=config.momentum, nesterov=config.nesterov, **common)
        case _:
            raise TypeError(f"There is no builder for {type(config).__name__}.")
    return keras.optimizers.LossScaleOptimizer(optimizer) if precision == "float16" else optimizer
