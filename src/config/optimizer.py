"""Schemas of the `optimizer` group, in Keras's argument names."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING

from src.config.bounds import bounded


@dataclass
class OptimizerConfig:
    """What every optimizer has.

    Attributes:
        name: Label under which runs with this optimizer are tracked.
        learning_rate: Learning rate; with a schedule, its peak.
        schedule: constant, or cosine decay from the peak to `alpha` times the peak at the last step.
        warmup_epochs: Epochs over which the learning rate first climbs from 0; fractions are allowed.
        alpha: Final learning rate of the cosine schedule as a fraction of the peak.
        clipnorm: Greatest norm of each gradient; null for no limit.
        clipvalue: Greatest absolute value of each gradient's elements; null for no limit.
        global_clipnorm: Greatest norm of all gradients together; null for no limit.
    """

    name: str = MISSING
    learning_rate: float = bounded(1e-3, above=0, maximum=100)
    schedule: str = bounded("constant", choices=("constant", "cosine"))
    warmup_epochs: float = bounded(0.0, minimum=0)
    alpha: float = bounded(0.0, minimum=0, maximum=1)
    clipnorm: float | None = bounded(None, above=0)
    clipvalue: float | None = bounded(None, above=0)
    global_clipnorm: float | None = bounded(None, above=0)


@dataclass
class AdamConfig(OptimizerConfig):
    """Adam (Kingma and Ba, 2015)."""

    beta_1: float = bounded(0.9, minimum=0, below=1)
    beta_2: float = bounded(0.999, minimum=0, below=1)
    epsilon: float = bounded(1e-7, above=0)


@dataclass
class AdamWConfig(AdamConfig):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    weight_decay: float = bounded(0.004, minimum=0)


@dataclass
class RMSpropConfig(OptimizerConfig):
    """RMSprop (Tieleman and Hinton, 2012)."""

    rho: float = bounded(0.9, minimum=0, below=1)
    momentum: float = bounded(0.0, minimum=0, below=1)
    epsilon: float = bounded(1e-7, above=0)
    centered: bool = False


@dataclass
class SGDConfig(OptimizerConfig):
    """Stochastic gradient descent with momentum."""

    momentum: float = bounded(0.0, minimum=0, below=1)
    nesterov: bool = False
