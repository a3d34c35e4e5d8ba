"""Every shipped configuration composes, is typed and can be written down and read again."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from src.config.bounds import nearest
from src.config.composition import SCHEMAS, flatten, to_yaml
from src.config.dataset import CatsVsDogsConfig
from src.config.model import CnnConfig, TransferConfig
from src.config.optimizer import SGDConfig
from src.config.paths import PROJECT_ROOT
from src.config.run import RunConfig
from src.errors import ConfigError

Compose = Callable[..., RunConfig]

CONF = PROJECT_ROOT / "conf"
OPTIONS = [f"{group}={path.stem}" for group in SCHEMAS for path in sorted((CONF / group).glob("*.yaml"))]


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes_into_its_typed_configuration(option: str, compose_run: Compose) -> None:
    overrides = [
        option,
        *(["dataset.url=somewhere"] if option.startswith("dataset=") and "digits" not in option else []),
    ]
    run = compose_run(*overrides)
    group, name = option.split("=")
    chosen = getattr(run, group)
    assert isinstance(chosen, tuple(SCHEMAS[group].values()))
    assert chosen.name == name


@pytest.mark.parametrize("path", [CONF / f"{option.replace('=', '/')}.yaml" for option in OPTIONS], ids=OPTIONS)
def test_every_option_opens_with_its_claim_and_its_command(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    claim = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
    assert len(claim) >= 2
    assert any("python -m src.train" in line for line in claim)


def test_groups_become_instances_of_the_chosen_options_class(compose_run: Compose) -> None:
    run = compose_run("model=vgg16", "optimizer=sgd", "dataset=cats_vs_dogs")
    assert isinstance(run.model, TransferConfig)
    assert isinstance(run.optimizer, SGDConfig)
    assert isinstance(run.dataset, CatsVsDogsConfig)
    assert isinstance(compose_run().model, CnnConfig)


def test_the_experiment_is_named_after_the_data_set_unless_given(compose_run: Compose) -> None:
    assert compose_run().tracking.experiment == "digits"
    assert compose_run("tracking.experiment=mine").tracking.experiment == "mine"


def test_flattened_params_have_dotted_keys_and_short_numbers(compose_run: Compose) -> None:
    params = flatten(compose_run("optimizer.learning_rate=3e-4", "model.dense_units=[64,32]"))
    assert params["optimizer.learning_rate"] == "0.0003"
    assert params["model.dense_units"] == "[64, 32]"
    assert params["trainer.patience_epochs"] == "None"
    assert params["seed"] == "0"


def test_the_resolved_configuration_is_plain_yaml_without_interpolations(compose_run: Compose) -> None:
    text = to_yaml(compose_run("model=mobilenet"))
    assert "${" not in text
    assert OmegaConf.create(text).model.backbone == "MobileNetV2"


def test_several_problems_are_listed_together(compose_run: Compose) -> None:
    with pytest.raises(ConfigError) as error:
        compose_run("model.dropout=-1", "seed=-1", "trainer.batch_size=0")
    assert len(str(error.value).splitlines()) == 3


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    assert nearest("zzz", ["dropout", "name"]) == ""
