"""Trainings need TensorFlow, loaded as the program loads it, and a data set small enough to learn in a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from src.config.run import RunConfig
from src.data.dataset import ImageDataset, open_dataset
from src.runtime import begin_run, load_tensorflow

load_tensorflow()

from src.models.build import build_network  # noqa: E402
from src.training.training import Training  # noqa: E402
from tests.tiny import TINY  # noqa: E402


@pytest.fixture(autouse=True)
def _float32() -> Iterator[None]:
    """Leaves no precision behind for the next test."""
    yield
    begin_run(seed=0, precision="float32", deterministic=False)


@pytest.fixture(scope="session")
def tiny(compose_run: Callable[..., RunConfig]) -> Callable[..., RunConfig]:
    """Composes the shrunk configuration with overrides."""
    return lambda *overrides: compose_run(*TINY, *overrides)


@pytest.fixture(scope="session")
def digits(tiny: Callable[..., RunConfig]) -> ImageDataset:
    """The digits of the shrunk configuration."""
    return open_dataset(tiny().dataset)


@pytest.fixture
def start(digits: ImageDataset) -> Callable[[RunConfig], Training]:
    """Builds a fresh training, as a run does."""

    def starter(config: RunConfig) -> Training:
        begin_run(seed=config.seed, precision=config.trainer.precision, deterministic=config.trainer.deterministic)
        network = build_network(config.model, digits.image_size, digits.num_classes)
        return Training(config, digits, network, precision=config.trainer.precision)

    return starter
