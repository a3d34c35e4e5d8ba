"""Trainings as an application that can be swept: what runs share is fetched once, the winner is measured at last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict

from src.config.composition import flatten, to_run_config
from src.config.model import TransferConfig
from src.config.run import RunConfig
from src.naming import is_trifle
from src.sweep.application import Checked, Place, Preparation


class TrainingApplication:
    """Training runs as an `Application` of a sweep."""

    records_runs = True
    preload = ("src.runtime:load_tensorflow", "src.experiment", "src.pruning", "src.study.storage", "src.study.pruners")

    @property
    def metrics(self) -> frozenset[str]:
        """The metrics of a training without those on the test images, which must not choose the winner."""
        from src.pruning import OBJECTIVE_METRICS

        return frozenset(OBJECTIVE_METRICS)

    def check(self, config: DictConfig) -> Checked:
        """Returns the checked configuration of a run, as the run will see it.

        Raises:
            ConfigError: A value is missing or not allowed.
        """
        config = OmegaConf.create(config)
        with open_dict(config):
            config.pop("hydra", None)
        run = to_run_config(config)
        settings = {key: value for key, value in flatten(run).items() if not is_trifle(key)}
        return Checked(
            config=run,
            tracking=run.tracking,
            subject=run.dataset.name,
            settings=settings,
            steps=run.trainer.epochs,
            folders=(Path(run.dataset.cache_dir).expanduser().absolute(),),
        )

    def prepare(self, configs: Sequence[Checked]) -> Preparation:
        """Decodes each data set and fetches each backbone's weights once, for all runs that use it.

        What is found for `model.weights=auto` is then given to the runs by name, so that no run finds other weights.

        Raises:
            FitgapError: A data set or weights cannot be had.
        """
        from src.data.dataset import open_dataset

        runs: list[RunConfig] = [checked.config for checked in configs]
        digests: dict[str, str] = {}
        for run in runs:
            if repr(run.dataset) not in digests:
                digests[repr(run.dataset)] = open_dataset(run.dataset).fingerprint
        facts = [{"dataset": digests[repr(run.dataset)][:16]} for run in runs]
        sources, warnings = _resolve_weights(runs)
        overrides: list[list[str]] = []
        for run, fact, source in zip(runs, facts, sources, strict=True):
            if source is not None:
                fact["weights"] = source
            asked = isinstance(run.model, TransferConfig) and run.model.weights == "auto"
            overrides.append([f"model.weights={source}"] if asked else [])
        return Preparation(overrides, warnings, facts)

    def place(self, place: Place) -> list[str]:
        """Returns the `tracking` block's overrides for a run of a sweep."""
        values = {
            "tracking.experiment": place.experiment,
            "tracking.experiment_id": place.experiment_id,
            "tracking.parent_run_id": place.parent_run_id,
            "tracking.arm": place.arm,
            "tracking.trial_number": str(place.number),
        }
        if place.run_name is not None:
            values["tracking.run_name"] = place.run_name
        if place.kind is not None:
            values["tracking.kind"] = place.kind
        if place.kind == "repetition":
            # The winner has a model already.
            values["tracking.log_model"] = "false"
        return [f"{key}={value if value == 'false' else _quote(value)}" for key, value in values.items()]

    def measure_test(self, config: Checked, run_id: str) -> dict[str, float]:
        """Measures a finished run's model on the test images; nothing where there are none.

        Raises:
            TrackingError: The store does not have the model.
        """
        from src.data.dataset import open_dataset

        run: RunConfig = config.config
        dataset = open_dataset(run.dataset)
        if not len(dataset.test):
            return {}
        from src.runtime import load_tensorflow

        load_tensorflow()
        from src.models.build import unwrap_network
        from src.runtime import begin_run
        from src.tracking.model import load_model
        from src.training.evaluation import evaluate_network

        # Where a run has been before, in a precision of its own.
        begin_run(seed=run.seed, precision="float32", deterministic=False)
        network = unwrap_network(load_model(run.tracking, run_id))
        batch_size = run.trainer.eval_batch_size
        accuracy, loss = evaluate_network(network, dataset.test, batch_size=batch_size)
        return {"test_accuracy": accuracy, "test_loss": loss}


def _resolve_weights(runs: Sequence[RunConfig]) -> tuple[list[str | None], list[str]]:
    """Returns each run's source of weights, None where its model has no backbone, and what should be known of them."""
    if not any(isinstance(run.model, TransferConfig) for run in runs):
        # Nobody needs TensorFlow, which takes seconds to import.
        return [None for _ in runs], []
    from src.runtime import load_tensorflow

    load_tensorflow()
    from src.models.weights import WeightsChoice, resolve_weights

    # Keras keeps other weights for other image sizes of one backbone.
    found: dict[tuple[str, str, int], WeightsChoice] = {}
    sources: list[str | None] = []
    for run in runs:
        if not isinstance(run.model, TransferConfig):
            sources.append(None)
            continue
        key = (run.model.backbone, run.model.weights, run.dataset.image_size)
        if key not in found:
            found[key] = resolve_weights(run.model, run.dataset.image_size)
        sources.append(found[key].source)
    return sources, [choice.warning for choice in found.values() if choice.warning]


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
