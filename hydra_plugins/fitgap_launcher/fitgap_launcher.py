"""The Hydra side of fitgap's launcher; all it does is in `src.workers`.

Hydra imports this module at every start, also for `--help`, and may import it twice: it must stay thin and cheap. It
does so without an entry in `sys.modules`, so annotations must not be postponed: a dataclass could not resolve them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


@dataclass
class FitgapLauncherConf:
    """Configuration of the launcher, `hydra.launcher`.

    Attributes:
        n_jobs: Jobs at a time; `auto` is one per place on a GPU, one on a machine without.
        gpus: GPUs to use: `auto` for all, a number, or a list; a job sees its own alone.
        trials_per_gpu: Jobs that share a GPU.
        gpu_memory: How they share its memory: `share` gives each an equal part, which it has from its start and never
            exceeds; with `grow` each takes what it needs as long as there is some. A job alone on its GPU takes what it
            needs in any case.
        reuse: Whether a process takes one job after the other; `auto` where there is no GPU, whose memory only the end
            of a process gives back.
        threads: Threads of each process on the CPU; `auto` shares the cores among the slots.
        preload: What a process imports before it has a job: modules, or functions as `module:function`; the sweeper
            adds what the application names.
        memory_limit_gb: Memory that a process may ask for, in 10^9 bytes; null is no limit.
        capture: Whether what a job prints goes to `output.log` in its folder, instead of the terminal.
    """

    _target_: str = "hydra_plugins.fitgap_launcher.fitgap_launcher.FitgapLauncher"
    n_jobs: Any = "auto"
    gpus: Any = "auto"
    trials_per_gpu: int = 1
    gpu_memory: str = "share"
    reuse: Any = "auto"
    threads: Any = "auto"
    preload: list[str] = field(default_factory=list)
    memory_limit_gb: float | None = None
    capture: bool = True


ConfigStore.instance().store(group="hydra/launcher", name="fitgap", node=FitgapLauncherConf, provider="fitgap")


class FitgapLauncher(Launcher):
    """Runs jobs in worker processes of this machine, each on a GPU of its own where there is one."""

    def __init__(self, **settings: Any) -> None:
        """Takes what `FitgapLauncherConf` holds."""
        # Hydra hands over parts of its configuration; what they hold is wanted.
        self.settings: dict[str, Any] = {
            key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            for key, value in settings.items()
        }

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Is called by Hydra before `launch`.

        Raises:
            ConfigError: A setting is not allowed, or there are not so many GPUs.
        """
        from src.workers.layout import plan_layout
        from src.workers.local import LocalWorkers

        named: tuple[str, ...] = getattr(task_function, "fitgap_preload", ())
        layout = plan_layout(**{**self.settings, "preload": [*self.settings["preload"], *named]})
        self.workers = LocalWorkers(layout, hydra_context, task_function, config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Runs jobs and returns how they ended; may be called from several threads at once."""
        return self.workers.run(job_overrides, initial_job_idx)
