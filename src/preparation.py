"""What the runs of a sweep share, checked and fetched once before the first of them starts."""

from __future__ import annotations

from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf, open_dict

from src.config.composition import to_run_config
from src.config.model import TransferConfig
from src.config.run import RunConfig
from src.sweep.application import Preparation


class TrainingApplication:
    """Training runs as an `Application` of a sweep."""

    def check(self, config: DictConfig) -> RunConfig:
        """Returns the checked configuration of a cell, as its run will see it.

        Raises:
            ConfigError: A value is missing or not allowed.
        """
        config = OmegaConf.create(config)
        with open_dict(config):
            config.pop("hydra", None)
        return to_run_config(config)

    def prepare(self, configs: Sequence[RunConfig]) -> Preparation:
        """Decodes each data set and fetches each backbone's weights once, for all cells that use it.

        What is found for `model.weights=auto` is then given to the cells by name, so that no cell finds other weights.

        Raises:
            FitgapError: A data set or weights cannot be had.
        """
        from src.data.dataset import open_dataset
        from src.runtime import load_tensorflow

        for dataset in {repr(config.dataset): config.dataset for config in configs}.values():
            open_dataset(dataset)
        load_tensorflow()
        from src.models.weights import WeightsChoice, resolve_weights

        found: dict[tuple[str, str], WeightsChoice] = {}
        overrides: list[list[str]] = []
        for config in configs:
            model = config.model
            if not isinstance(model, TransferConfig):
                overrides.append([])
                continue
            key = (model.backbone, model.weights)
            if key not in found:
                found[key] = resolve_weights(model, config.dataset.image_size)
            overrides.append([f"model.weights={found[key].source}"] if model.weights == "auto" else [])
        reasons = (choice.fallback_reason for choice in found.values() if choice.fallback_reason)
        warnings = [
            f"{reason}\nStarting from random weights instead, and training the whole backbone." for reason in reasons
        ]
        return Preparation(overrides, warnings)
