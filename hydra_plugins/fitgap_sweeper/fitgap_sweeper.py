"""The Hydra side of fitgap's sweeper; all it does is in `src.sweep`.

Hydra imports this module at every start, also for `--help`, and may import it twice: it must stay thin and cheap. It
does so without an entry in `sys.modules`, so annotations must not be postponed: a dataclass could not resolve them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class FitgapSweeperConf:
    """Configuration of the sweeper, `hydra.sweeper`.

    Attributes:
        params: Axes of the grid besides those of the command line, for example `{model.dropout: "0,0.5"}`.
    """

    _target_: str = "hydra_plugins.fitgap_sweeper.fitgap_sweeper.FitgapSweeper"
    params: dict[str, str] = field(default_factory=dict)


ConfigStore.instance().store(group="hydra/sweeper", name="fitgap", node=FitgapSweeperConf, provider="fitgap")


class FitgapSweeper(Sweeper):
    """Runs every cell of a grid as a child of one tracked parent run and compares them."""

    def __init__(self, params: dict[str, str]) -> None:
        """Takes what `FitgapSweeperConf` holds."""
        self.params = params

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Is called by Hydra before `sweep`."""
        self._loader = hydra_context.config_loader
        self._task_function = task_function
        self._sweep_config = config
        self._launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Executes the grid that the command line's overrides span.

        Returns:
            The `Comparison` of the cells.
        """
        from src.console import open_console
        from src.sweep.application import find_application
        from src.sweep.checking import check_cells
        from src.sweep.grid import expand_grid

        given = {argument.partition("=")[0] for argument in arguments}
        axes = [f"{key}={values}" for key, values in self.params.items() if key not in given]
        cells = expand_grid([*arguments, *axes], OverridesParser.create(config_loader=self._loader))
        application = find_application(self._task_function)
        configs = check_cells(cells, self._compose, application)

        # MLflow and matplotlib take a second to import: not before the cells have been found right.
        from src.sweep.plan import Sweep
        from src.sweep.sweep import execute_sweep

        return execute_sweep(
            Sweep(
                cells=cells,
                configs=configs,
                launch=self._launch,
                application=application,
                folder=Path(self._sweep_config.hydra.sweep.dir),
                console=open_console(),
            )
        )

    def _compose(self, overrides: Sequence[str]) -> DictConfig:
        return self._loader.load_sweep_config(self._sweep_config, list(overrides))

    def _launch(self, overrides: Sequence[str], number: int) -> JobReturn:
        return self._launcher.launch([list(overrides)], initial_job_idx=number)[0]
