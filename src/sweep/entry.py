"""What the sweeper plugin calls: from the command line's overrides to a grid or a search, checked and executed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from src.config.paths import PROJECT_ROOT
from src.config.repository import share_structured_configs
from src.config.sweeper import SweeperConfig
from src.console import open_console
from src.naming import shorten
from src.study.objective import Objectives, parse_objectives
from src.study.task import TrialTask
from src.sweep.application import Application, find_application, sweepable
from src.sweep.arms import Arm, build_arms
from src.sweep.checking import check_cells
from src.sweep.foreign import ForeignApplication
from src.sweep.gpus import hold_gpus
from src.sweep.launching import Launching, fit_launcher, keep_in_process, open_launching
from src.sweep.plan import Search
from src.sweep.request import Request, read_request
from src.sweep.settings import check_search, to_sweeper_config


@dataclass(frozen=True)
class _Command:
    """One command line, read."""

    request: Request
    settings: SweeperConfig
    application: Application
    context: HydraContext
    task_function: TaskFunction
    config: DictConfig

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """Returns the configuration of a job with these overrides."""
        return self.context.config_loader.load_sweep_config(self.config, list(overrides))

    def make_launcher(self, task_function: TaskFunction, config: DictConfig) -> Launcher:
        """Returns the launcher that a configuration names, for a task function."""
        return Plugins.instance().instantiate_launcher(
            hydra_context=self.context, task_function=task_function, config=config
        )


def run_sweeper(
    arguments: Sequence[str],
    settings: Mapping[str, Any],
    *,
    context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
) -> Any:
    """Runs a grid, or where keys are searched a search.

    Args:
        arguments: The task's overrides on the command line.
        settings: `hydra.sweeper`.
        context: Hydra's context.
        task_function: The application's own function.
        config: The composed configuration of the command.

    Returns:
        The `Comparison` of a grid, the `Conclusion` of a search, None for a dry run.

    Raises:
        FitgapError: Something is wrong, or some runs failed.
        KeyboardInterrupt: The user ended it.
    """
    share_structured_configs()
    sweeper = to_sweeper_config(settings)
    request = read_request(arguments, sweeper, OverridesParser.create(config_loader=context.config_loader))
    application = find_application(task_function) or ForeignApplication(str(config.hydra.job.name))
    command = _Command(request, sweeper, application, context, task_function, config)
    return _run_search(command) if is_search(request, sweeper) else _run_grid(command)


def is_search(request: Request, settings: SweeperConfig) -> bool:
    """Returns whether a sweep needs studies: keys are searched, or runs are to be repeated, parallel, kept or shown.

    A grid whose study is named is kept under that name: the same command goes on with it.
    """
    parallel = settings.n_jobs != "auto" and settings.n_jobs > 1
    return bool(request.searched or settings.seeds or settings.dry_run or settings.study_name or parallel)


def _run_grid(command: _Command) -> Any:
    cells = command.request.cells
    configs = check_cells(cells, command.compose, command.application)
    config = keep_in_process(command.config)
    launcher = command.make_launcher(command.task_function, config)

    # MLflow and matplotlib take a second to import: not before the cells have been found right.
    from src.sweep.plan import Sweep
    from src.sweep.sweep import execute_sweep

    sweep = Sweep(
        cells=cells,
        axes=command.request.axes,
        configs=configs,
        launch=lambda overrides, number: launcher.launch([list(overrides)], initial_job_idx=number)[0],
        application=command.application,
        folder=Path(config.hydra.sweep.dir),
        settings=command.settings,
        console=open_console(),
    )
    with hold_gpus(config, command.settings):
        return execute_sweep(sweep)


def _run_search(command: _Command) -> Any:
    settings, config = command.settings, command.config
    objectives = parse_objectives(settings.objective, settings.direction, settings.constraints)
    check_search(objectives, settings, command.application.metrics)
    fit_launcher(config, settings.n_jobs)
    # Also of a function that nobody has decorated: its workers have something to import.
    task_function = sweepable(command.application)(TrialTask(command.task_function))
    launching = open_launching(command.make_launcher(task_function, config), config, settings.n_jobs)
    try:
        if settings.dry_run:
            return _check_and_execute(command, objectives, launching)
        with hold_gpus(config, settings):
            # Of all that comes before the first trial, what its process imports takes longest.
            launching.start()
            return _check_and_execute(command, objectives, launching)
    finally:
        launching.close()


def _check_and_execute(command: _Command, objectives: Objectives, launching: Launching) -> Any:
    request, settings, config = command.request, command.settings, command.config
    arms = build_arms(request.cells, request.searched, settings, command.compose, command.application)
    search = Search(
        name=name_search(request, settings, arms, config),
        question=settings.question or _ask(request, arms, objectives),
        arms=arms,
        axes=request.axes,
        settings=settings,
        objectives=objectives,
        compose=command.compose,
        application=command.application,
        launching=launching,
        folder=Path(config.hydra.sweep.dir).absolute(),
        root=PROJECT_ROOT,
        console=open_console(),
        config_name=str(config.hydra.job.config_name),
    )
    from src.sweep.preview import check_first_points, preview_search

    if settings.dry_run:
        return preview_search(search)
    check_first_points(search)

    # MLflow takes a second to import: not before the first points have been found right.
    from src.sweep.search import execute_search

    return execute_search(search)


def name_search(request: Request, settings: SweeperConfig, arms: Sequence[Arm], config: DictConfig) -> str:
    """Returns the name under which a search is kept and continued.

    It does not depend on what is searched between which ends: a search that is asked for otherwise is to be refused,
    with what has changed, rather than begun anew in silence.
    """
    if settings.study_name:
        return settings.study_name
    file = OmegaConf.select(config, "hydra.runtime.choices.sweeps")
    keys = [override.get_key_element().rpartition(".")[2] for override in request.searched]
    short = str(file) if file else f"search of {', '.join(keys)}" if keys else f"grid of {', '.join(request.axes)}"
    return f"{arms[0].checked.tracking.experiment}/{shorten(short)}"


def _ask(request: Request, arms: Sequence[Arm], objectives: Objectives) -> str:
    searched = ", ".join(override.get_key_element() for override in request.searched) or "one configuration"
    arm_values = " and ".join(f"{key}={','.join(values)}" for key, values in request.axes.items())
    between = f", and which of {arm_values} with it," if arm_values else ""
    goal = " and ".join(f"{item.direction}s {item.name}" for item in objectives.objectives)
    return f"Which {searched}{between} {goal} on {arms[0].checked.subject}?"
