"""Optimizers and their learning-rate schedules."""

from __future__ import annotations

import math
from typing import TypeAlias

import keras

from src.config.optimizer import AdamConfig, AdamWConfig, OptimizerConfig, RMSpropConfig, SGDConfig

#: A constant, or a function of the step.
LearningRate: TypeAlias = "float | keras.optimizers.schedules.LearningRateSchedule"


def build_optimizer(
    config: OptimizerConfig, *, learning_rate: LearningRate, precision: str
) -> keras.optimizers.Optimizer:
    """Builds the optimizer that a configuration describes; float16 gets loss scaling, lest gradients vanish.

    Args:
        config: The optimizer and its arguments.
        learning_rate: What `build_learning_rate` returned for it.
        precision: The precision that the network computes in.

    Raises:
        TypeError: There is no builder for the configuration's type.
    """
    common = {
        "learning_rate": learning_rate,
        "clipnorm": config.clipnorm,
        "clipvalue": config.clipvalue,
        "global_clipnorm": config.global_clipnorm,
    }
    optimizer: keras.optimizers.Optimizer
    match config:
        case AdamWConfig():
            adam = {"beta_1": config.beta_1, "beta_2": config.beta_2, "epsilon": config.epsilon}
            optimizer = keras.optimizers.AdamW(weight_decay=config.weight_decay, **adam, **common)
        case AdamConfig():
            adam = {"beta_1": config.beta_1, "beta_2": config.beta_2, "epsilon": config.epsilon}
            optimizer = keras.optimizers.Adam(**adam, **common)
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


def build_learning_rate(config: OptimizerConfig, *, epochs: int, steps_per_epoch: int) -> LearningRate:
    """Builds the learning rate as a function of the step: a warm-up from 0, then constant or cosine decay."""
    warmup_steps = math.ceil(config.warmup_epochs * steps_per_epoch)
    if config.schedule == "constant" and warmup_steps == 0:
        return config.learning_rate
    # A cosine that decays to the whole of its peak is a constant.
    alpha = config.alpha if config.schedule == "cosine" else 1.0
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else config.learning_rate,
        decay_steps=max(1, epochs * steps_per_epoch - warmup_steps),
        alpha=alpha,
        warmup_target=config.learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
