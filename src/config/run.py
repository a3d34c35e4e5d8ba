"""The configuration of one training, whole."""

from __future__ import annotations

from dataclasses import dataclass, field

from src.config.augmentation import AugmentationConfig
from src.config.bounds import bounded
from src.config.dataset import DatasetConfig
from src.config.model import ModelConfig
from src.config.optimizer import OptimizerConfig
from src.config.schedule import ScheduleConfig
from src.config.tracking import TrackingConfig
from src.config.trainer import TrainerConfig


@dataclass
class RunConfig:
    """Everything that decides how one training goes; each group is an instance of the chosen option's own class.

    Attributes:
        recipe: Label of the published experiment that sets the values, such as A1; the values alone decide how the
            training goes.
        seed: Seed of weights, shuffling, dropout and augmentation (not of the splits: `dataset.split_seed`).
    """

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    recipe: str | None = None
    seed: int = bounded(0, minimum=0, maximum=2**31 - 1)


@dataclass
class FileConfig(RunConfig):
    """What the files of `conf/` and `sweeps/` can say: besides a training's configuration when a sweep is started.

    Attributes:
        schedule: When the sweep starts by itself; it has nothing to do with how a training goes.
    """

    schedule: ScheduleConfig | None = None
