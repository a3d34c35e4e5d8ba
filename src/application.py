"""Trainings as an application that can be swept: what runs share is fetched once, the winner is measured at last."""

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

        # Keras keeps other weights for other image sizes of one backbone.
        found: dict[tuple[str, str, int], WeightsChoice] = {}
        overrides: list[list[str]] = []
        for config in configs:
            model = config.model
            if not isinstance(model, TransferConfig):
                overrides.append([])
                continue
            key = (model.backbone, model.weights, config.dataset.image_size)
            if key not in found:
                found[key] = resolve_weights(model, config.dataset.image_size)
            overrides.append([f"model.weights={found[key].source}"] if model.weights == "auto" else [])
        return Preparation(overrides, [choice.warning for choice in found.values() if choice.warning])

    def measure_test(self, config: RunConfig, run_id: str) -> dict[str, float]:
        """Measures a finished run's model on the test images; nothing where there are none.

        Raises:
            TrackingError: The store does not have the model.
        """
        from src.data.dataset import open_dataset

        dataset = open_dataset(config.dataset)
        if not len(dataset.test):
            return {}
        from src.models.build import unwrap_network
        from src.tracking.model import load_model
        from src.training.evaluation import evaluate_network

        network = unwrap_network(load_model(config.tracking, run_id))
        batch_size = config.trainer.eval_batch_size
        accuracy, loss = evaluate_network(network, dataset.test, batch_size=batch_size, head=config.model.head)
        return {"test_accuracy": accuracy, "test_loss": loss}
