"""Names of runs: what distinguishes one from its neighbours, short enough for a column."""

from __future__ import annotations

from collections.abc import Sequence

from src.config.run import RunConfig

#: Longest name; the MLflow UI cuts longer ones.
MAX_NAME_LENGTH = 80

#: Keys, or beginnings of keys, that change where a training reads and writes and what it is called, not what it learns.
_TRIFLES = (
    "recipe",
    "dataset.url",
    "dataset.cache_dir",
    "trainer.eval_batch_size",
    "trainer.features",
    "trainer.checkpoint_epochs",
    "tracking.",
    "hydra.",
    "sweeps",
)


def name_run(config: RunConfig, overrides: Sequence[str]) -> str:
    """Returns the name of a run: the one configured, its arm in a sweep, or what it trains and what was overridden.

    What it trains is a recipe, where one is chosen, or else a model.

    Args:
        config: The run's configuration.
        overrides: Hydra's overrides of the task, such as `model=vgg16` or `model.dropout=0.5`.
    """
    if config.tracking.run_name:
        return config.tracking.run_name
    if config.tracking.arm:
        return config.tracking.arm
    values = [override for override in overrides if not is_trifle(_read_key(override))]
    if config.recipe is not None:
        return shorten(", ".join([f"recipe={config.recipe}", *map(shorten_key, values)]))
    # The model's name comes first; the choice of that name need not be told again.
    told = (f"model={config.model.name}", f"model.name={config.model.name}")
    values = [value for value in values if value not in told]
    return shorten(", ".join([config.model.name, *map(shorten_key, values)]))


def is_trifle(key: str) -> bool:
    """Returns whether a configuration key has nothing to do with what a training learns."""
    return any(key == trifle or (trifle.endswith(".") and key.startswith(trifle)) for trifle in _TRIFLES)


def _read_key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def shorten_key(override: str) -> str:
    """Returns an override with the last part of its key alone: `dropout=0.5` for `model.dropout=0.5`."""
    key, separator, value = override.partition("=")
    return f"{key.rpartition('.')[2]}{separator}{value}"


def shorten(name: str, length: int = MAX_NAME_LENGTH) -> str:
    """Returns a name of at most `length` characters."""
    return name if len(name) <= length else name[: length - 1] + "…"
