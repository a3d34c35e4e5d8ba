"""The Hydra side of fitgap's sweeper; all it does is in `src.sweep`.

Hydra imports this module at every start, also for `--help`, and may import it twice: it must stay thin and cheap. It
does so without an entry in `sys.modules`, so annotations must not be postponed: a dataclass could not resolve them.
"""

from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from src.config.sweeper import SweeperConfig


@dataclass
class FitgapSweeperConf(SweeperConfig):
    """Configuration of the sweeper, `hydra.sweeper`: `SweeperConfig` and the class that takes it."""

    _target_: str = "hydra_plugins.fitgap_sweeper.fitgap_sweeper.FitgapSweeper"


ConfigStore.instance().store(group="hydra/sweeper", name="fitgap", node=FitgapSweeperConf, provider="fitgap")


class FitgapSweeper(Sweeper):
    """Runs a grid, or a search with one study per arm, as children of one tracked parent run, and compares them."""

    def __init__(self, **settings: Any) -> None:
        """Takes what `FitgapSweeperConf` holds."""
        # Hydra hands over parts of its configuration; what they hold is wanted.
        self.settings = {
            key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            for key, value in settings.items()
        }

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Is called by Hydra before `sweep`."""
        self._context = hydra_context
        self._task_function = task_function
        self._sweep_config = config

    def sweep(self, arguments: list[str]) -> Any:
        """Executes what the command line's overrides ask for; see `src.sweep.entry.run_sweeper`."""
        from src.sweep.entry import run_sweeper

        return run_sweeper(
            arguments,
            self.settings,
            context=self._context,
            task_function=self._task_function,
            config=self._sweep_config,
        )
