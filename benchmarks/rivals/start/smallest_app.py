"""The smallest application that Hydra can have: what any command of one costs."""

from __future__ import annotations

from dataclasses import dataclass, field

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig


@dataclass
class Model:
    """One group of keys."""

    dropout: float = 0.5


@dataclass
class Config:
    """The whole configuration."""

    model: Model = field(default_factory=Model)


ConfigStore.instance().store(name="config", node=Config)


@hydra.main(version_base="1.3", config_path=None, config_name="config")
def main(config: DictConfig) -> None:
    """Does nothing."""


if __name__ == "__main__":
    main()
