"""From Hydra's composed configuration to checked dataclasses: the one door between YAML and the program."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from src.config.augmentation import AugmentationConfig
from src.config.bounds import find_violations, unknown_key
from src.config.contradictions import find_contradictions
from src.config.dataset import (
    CatsVsDogsConfig,
    DigitsConfig,
    DogsVsCatsConfig,
    ImageFolderConfig,
)
from src.config.model import CnnConfig, TransferConfig
from src.config.optimizer import AdamConfig, AdamWConfig, RMSpropConfig, SGDConfig
from src.config.paths import PROJECT_ROOT
from src.config.repository import share_structured_configs
from src.config.run import FileConfig, RunConfig
from src.config.schedule import ScheduleConfig
from src.errors import ConfigError

#: Schema names per group. A YAML file takes its types from one: `defaults: [/hydra/schema/model/cnn@_here_, _self_]`.
SCHEMAS: dict[str, dict[str, type]] = {
    "dataset": {
        "digits": DigitsConfig,
        "cats_vs_dogs": CatsVsDogsConfig,
        "dogs_vs_cats": DogsVsCatsConfig,
        "image_folder": ImageFolderConfig,
    },
    "augmentation": {"warp": AugmentationConfig},
    "model": {"cnn": CnnConfig, "transfer": TransferConfig},
    "optimizer": {
        "adam": AdamConfig,
        "adamw": AdamWConfig,
        "rmsprop": RMSpropConfig,
        "sgd": SGDConfig,
    },
}

#: A value that an environment variable gives.
_VARIABLE = re.compile(r"\$\{oc\.env:(\w+)")


def register_schemas() -> None:
    """Makes the dataclasses known to Hydra, under `hydra/`, so that help does not offer them as options.

    Also registers the resolver `fitgap_root`, the checkout's folder, which `conf/` uses for the output folders.
    """
    share_structured_configs()
    OmegaConf.register_new_resolver("fitgap_root", lambda: str(PROJECT_ROOT), replace=True)
    store = ConfigStore.instance()
    store.store(group="hydra/schema", name="run", node=FileConfig, provider="fitgap")
    for group, schemas in SCHEMAS.items():
        for name, schema in schemas.items():
            store.store(group=f"hydra/schema/{group}", name=name, node=schema, provider="fitgap")


def to_run_config(config: DictConfig) -> RunConfig:
    """Turns a composed configuration into a `RunConfig` whose every value is within its bounds.

    Raises:
        ConfigError: A value is missing or out of bounds, or two values contradict each other; all of them are listed.
        omegaconf.errors.OmegaConfBaseException: A value cannot be had at all, such as a broken interpolation.
    """
    config = drop_schedule(config)
    unknown = [*find_unknown_keys(config)]
    if unknown:
        raise ConfigError("\n".join(unknown))
    missing = [*find_missing(config)]
    if missing:
        raise ConfigError("\n".join(missing))
    composed = OmegaConf.to_object(config)
    assert isinstance(composed, RunConfig)
    run = RunConfig(**{field.name: getattr(composed, field.name) for field in dataclasses.fields(RunConfig)})
    problems = [*find_violations(run), *find_contradictions(run)]
    if problems:
        raise ConfigError("\n".join(problems))
    return run


def drop_schedule(config: DictConfig) -> DictConfig:
    """Returns a composed configuration without the `schedule` block of a sweep's file.

    It is nothing to a run, and what it takes from the environment need not be there. A key of this name that another
    application has stays.
    """
    node = config._get_node("schedule") if "schedule" in config else None
    if not isinstance(node, DictConfig) or node._metadata.ref_type is not ScheduleConfig:
        return config
    config = config.copy()
    config.schedule = None
    return config


def find_unknown_keys(config: DictConfig, prefix: str = "") -> Iterator[str]:
    """Yields a sentence for each key that its schema does not have: Hydra lets `+key=value` append such keys."""
    schema = OmegaConf.get_type(config)
    if schema is None or not dataclasses.is_dataclass(schema):
        return
    allowed = [field.name for field in dataclasses.fields(schema)]
    for key in map(str, config):
        if key not in allowed:
            yield unknown_key(f"{prefix}{key}", allowed)
        elif OmegaConf.is_dict(config._get_node(key)):
            yield from find_unknown_keys(config[key], prefix=f"{prefix}{key}.")


def find_missing(config: DictConfig) -> Iterator[str]:
    """Yields a sentence for each key without a value, also where an environment variable was to give it and is not set.

    Raises:
        omegaconf.errors.OmegaConfBaseException: An interpolation is broken.
    """
    missing = OmegaConf.missing_keys(config)
    if not missing:
        resolved = OmegaConf.create(config)
        OmegaConf.resolve(resolved)
        missing = OmegaConf.missing_keys(resolved)
    for key in sorted(map(str, missing)):
        parent, _, name = key.rpartition(".")
        node = (OmegaConf.select(config, parent) if parent else config)._get_node(name, validate_access=False)
        variable = None if node is None else _VARIABLE.match(str(node._value()))
        other = f", or {variable[1]} in the environment" if variable else ""
        yield f"{key} has no default and must be given: {key}=…{other}"


def flatten(config: RunConfig) -> dict[str, str]:
    """Returns the configuration as `{"model.dropout": "0.5", …}`, the form in which it is logged as params."""
    flat: dict[str, str] = {}

    def visit(prefix: str, value: object) -> None:
        if isinstance(value, dict):
            for key, child in value.items():
                visit(f"{prefix}.{key}" if prefix else str(key), child)
        elif isinstance(value, float) and math.isfinite(value):
            flat[prefix] = f"{value:g}" if float(f"{value:g}") == value else repr(value)
        else:
            flat[prefix] = str(value)

    visit("", OmegaConf.to_container(OmegaConf.structured(config)))
    return flat


def to_yaml(config: RunConfig) -> str:
    """Returns the resolved configuration as YAML."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))
