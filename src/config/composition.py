"""From Hydra's composed configuration to checked dataclasses: the one door between YAML and the program."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from src.config.augmentation import AugmentationConfig
from src.config.bounds import find_violations, unknown_key
from src.config.dataset import (
    CatsVsDogsConfig,
    DigitsConfig,
    DogsVsCatsConfig,
    ImageFolderConfig,
)
from src.config.model import CnnConfig, TransferConfig
from src.config.optimizer import AdamConfig, AdamWConfig, RMSpropConfig, SGDConfig
from src.config.paths import PROJECT_ROOT
from src.config.run import RunConfig
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


def register_schemas() -> None:
    """Makes the dataclasses known to Hydra, under `hydra/`, so that help does not offer them as options.

    Also registers the resolver `fitgap_root`, the checkout's folder, which `conf/` uses for the output folders.
    """
    OmegaConf.register_new_resolver("fitgap_root", lambda: str(PROJECT_ROOT), replace=True)
    store = ConfigStore.instance()
    store.store(group="hydra/schema", name="run", node=RunConfig, provider="fitgap")
    for group, schemas in SCHEMAS.items():
        for name, schema in schemas.items():
            store.store(group=f"hydra/schema/{group}", name=name, node=schema, provider="fitgap")


def to_run_config(config: DictConfig) -> RunConfig:
    """Turns a composed configuration into a `RunConfig` whose every value is within its bounds.

    Raises:
        ConfigError: A value is missing or out of bounds, or two values contradict each other; all of them are listed.
        omegaconf.errors.OmegaConfBaseException: A value cannot be had at all, such as a broken interpolation.
    """
    unknown = [*find_unknown_keys(config)]
    if unknown:
        raise ConfigError("\n".join(unknown))
    missing = sorted(str(key) for key in OmegaConf.missing_keys(config))
    if missing:
        raise ConfigError("\n".join(f"{key} has no default and must be given: {key}=…" for key in missing))
    run = OmegaConf.to_object(config)
    assert isinstance(run, RunConfig)
    problems = [*find_violations(run), *find_contradictions(run)]
    if problems:
        raise ConfigError("\n".join(problems))
    return run


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


def find_contradictions(run: RunConfig) -> Iterator[str]:
    """Yields a sentence for each pair of values that are allowed alone but not together."""
    augmentation, model, optimizer = run.augmentation, run.model, run.optimizer
    if augmentation.zoom * augmentation.strength >= 1:
        yield (
            f"augmentation.zoom times augmentation.strength must be below 1, but got {augmentation.zoom:g} times "
            f"{augmentation.strength:g}: a zoom of 0 has no image."
        )
    if model.dropout > 0 and model.dropout_position == "after_dense" and not model.dense_units:
        yield (
            f"model.dropout={model.dropout:g} has no place: model.dropout_position=after_dense, but model.dense_units "
            "is empty. Set model.dropout_position=before_dense or add dense units."
        )
    if isinstance(model, CnnConfig) and len(model.pooling) not in (1, len(model.conv_filters)):
        yield (
            "model.pooling must hold one kind for all convolutions or one for each of the "
            f"{len(model.conv_filters)}, but got {len(model.pooling)}: {model.pooling}."
        )
    if isinstance(model, TransferConfig) and model.trainable and model.fine_tune_layers:
        yield (
            f"model.fine_tune_layers={model.fine_tune_layers} contradicts model.trainable=true, which trains all "
            "layers. Give one of them."
        )
    if optimizer.warmup_epochs > 0 and optimizer.warmup_epochs >= run.trainer.epochs:
        yield (
            f"optimizer.warmup_epochs must be below trainer.epochs, but got {optimizer.warmup_epochs:g} of "
            f"{run.trainer.epochs}."
        )
    clipping = [key for key in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(optimizer, key) is not None]
    if len(clipping) > 1:
        yield f"Only one kind of gradient clipping can be given, but got optimizer.{' and optimizer.'.join(clipping)}."
    dataset = run.dataset
    if isinstance(dataset, ImageFolderConfig) and dataset.val_fraction + dataset.test_fraction >= 1:
        yield (
            "dataset.val_fraction and dataset.test_fraction must leave images to train on, but sum to "
            f"{dataset.val_fraction + dataset.test_fraction:g}."
        )
    if isinstance(dataset, DigitsConfig):
        total = dataset.num_train + dataset.num_val + dataset.num_test
        if total > 1797:
            yield f"The digits are 1,797 images, but dataset.num_train, num_val and num_test sum to {total:,}."


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
