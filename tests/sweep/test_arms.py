"""Arms: every cell with its search space, and every end of an interval tried before anything is started."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.singleton import Singleton
from hydra.types import RunMode
from omegaconf import DictConfig

from src.application import TrainingApplication
from src.config.composition import register_schemas
from src.config.paths import PROJECT_ROOT
from src.config.sweeper import SweeperConfig
from src.errors import ConfigError
from src.sweep.arms import Arm, build_arms
from src.sweep.request import read_request


@pytest.fixture(autouse=True)
def restored_globals() -> Iterator[None]:
    """Leaves Hydra's global state as it was: other tests run whole applications in this process."""
    state = Singleton.get_state()
    yield
    Singleton.set_state(state)


def build(*arguments: str, **settings: object) -> list[Arm]:
    """Builds the arms of a command line of `src.train`."""
    register_schemas()
    loader = ConfigLoaderImpl(create_config_search_path(str(PROJECT_ROOT / "conf")))
    config = loader.load_configuration("train", [], RunMode.MULTIRUN)
    # As Hydra does before it calls a sweeper.
    HydraConfig.instance().set_config(config)

    def compose(overrides: Sequence[str]) -> DictConfig:
        return loader.load_sweep_config(config, list(overrides))

    sweeper = SweeperConfig(**settings)  # type: ignore[arg-type]
    request = read_request(arguments, sweeper, OverridesParser.create(config_loader=loader))
    return build_arms(request.cells, request.searched, sweeper, compose, TrainingApplication())


def test_an_arm_has_its_own_configuration_and_the_values_that_it_has_without_a_search() -> None:
    cnn, mobilenet = build("model=cnn,mobilenet", "model.dropout=interval(0,0.7)", "optimizer=choice(adam,sgd)")
    assert [cnn.name, mobilenet.name] == ["model=cnn", "model=mobilenet"]
    assert cnn.checked.config.model.name == "cnn"
    assert cnn.defaults == {"model.dropout": 0.0, "optimizer": "adam"}
    assert mobilenet.defaults == {"model.dropout": 0.2, "optimizer": "adam"}
    assert [dimension.key for dimension in cnn.space.dimensions] == ["model.dropout", "optimizer"]


def test_the_only_arm_is_named_after_its_trials() -> None:
    (arm,) = build("model.dropout=interval(0,0.7)")
    assert arm.name == "trial"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("model.dropout=interval(0,1)", r"model\.dropout=interval\(0,1\) can become 1\.0: model\.dropout must be"),
        ("model.drpout=interval(0,0.5)", r"Did you mean 'dropout'"),
        ("trainer.epochs=interval(1,8)", r"trainer\.epochs=int\(interval\(1, ?8\)\)"),
        ("optimizer=choice(adam,addam)", r"Unknown option optimizer=addam\. Did you mean 'adam'"),
        ("augmentation.strength=interval(0,1)", r"has nothing to scale"),
    ],
)
def test_a_search_space_that_holds_what_is_not_allowed_is_refused_before_anything_starts(
    argument: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build(argument)


def test_what_is_wrong_in_one_arm_is_said_with_its_name() -> None:
    with pytest.raises(ConfigError) as refused:
        build("dataset.image_size=32,8", "model.dropout=interval(0,0.5)")
    assert str(refused.value).startswith("image_size=8: ")


def test_seeds_need_a_key_that_takes_them() -> None:
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.seed_key=sead"):
        build("model.dropout=interval(0,0.5)", seeds=[0, 1], seed_key="sead")


def test_a_conditional_key_is_tried_where_its_condition_holds() -> None:
    arguments = ("optimizer=adam,sgd", "optimizer.momentum=interval(0.5,0.9)")
    adam, sgd = build(*arguments, conditions={"optimizer.momentum": "optimizer=sgd"})
    assert [len(arm.space.active({}, arm.fixed)) for arm in (adam, sgd)] == [0, 1]
