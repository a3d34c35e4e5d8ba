"""How trials are started: through any Hydra launcher, in as many slots as it can run side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, cast

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf, open_dict

from src.gpus.lease import Lease
from src.workers.gpus import find_gpus

#: Our own launcher's class; compared by name, since Hydra imports plugins in its own way.
_LOCAL = "FitgapLauncher"
#: Hydra's own launcher, which runs jobs in this process.
_INLINE = "BasicLauncher"
_JOBLIB = "JoblibLauncher"
#: Submitit's launcher for this machine; its others hand jobs to a cluster.
_SUBMITIT_LOCAL = "LocalLauncher"


@dataclass(frozen=True)
class Launching:
    """A launcher, and what is known of it.

    Attributes:
        launch: Runs one job with the given overrides and number, and returns how it ended.
        slots: Jobs that it may run at a time.
        inline: Whether a job runs in this process and thread.
        remark: What the person who started the sweep should know of it.
        launcher: The launcher itself.
    """

    launch: Callable[[Sequence[str], int], JobReturn]
    slots: int
    inline: bool
    remark: str | None
    launcher: Any

    @property
    def _workers(self) -> Any:
        """The processes of our own launcher; None for any other."""
        return getattr(self.launcher, "workers", None)

    def start(self) -> None:
        """Has the launcher's processes import what they will need, while there is something else to do."""
        if self._workers is not None:
            self._workers.start()

    def await_begin(self) -> None:
        """Waits until a process of our own launcher has taken a job; of others nothing is known, nor waited for."""
        if self._workers is not None:
            self._workers.begun.wait()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Calls a function where jobs run and what it needs has been imported, else here; what it returns is awaited.

        Returns:
            What the function will have returned, or raised; or the error that its process died.
        """
        if self._workers is not None:
            return cast("Future[Any]", self._workers.call(function, *arguments))
        answer = Future[Any]()
        try:
            answer.set_result(function(*arguments))
        except Exception as error:
            answer.set_exception(error)
        return answer

    @property
    def held_back(self) -> int:
        """Slots that are free, but would not take a trial at present: another is to be alone on their GPU."""
        return 0 if self._workers is None else int(self._workers.held_back)

    def launch_alone(
        self, overrides: Sequence[str], number: int, lease: Lease, wanted: Callable[[], bool]
    ) -> JobReturn:
        """Runs a job as `launch` does, but with none of ours beside it on the GPU of the lease that it had before.

        Raises:
            JobGivenUpError: It was not `wanted` any more before it had the GPU for itself.
        """
        return cast(JobReturn, self._workers.run_alone(overrides, number, lease, wanted))

    def limit_time(self, seconds: float | None) -> None:
        """Has jobs killed that take longer, where the launcher can do so."""
        if self._workers is not None:
            self._workers.kill_after = seconds

    def stop(self) -> None:
        """Ends all running jobs at once, where the launcher can do so."""
        if self._workers is not None:
            self._workers.stop()

    def close(self) -> None:
        """Ends the launcher's processes."""
        if self._workers is not None:
            self._workers.close()


def find_lease(result: JobReturn) -> Lease | None:
    """Returns what a job had of a GPU; None where its launcher does not say, or it had none."""
    return getattr(result, "lease", None)


def keep_in_process(config: DictConfig) -> DictConfig:
    """Returns the configuration with Hydra's launcher in place of ours, for runs that are watched on the console."""
    if not _is(config.hydra.launcher, _LOCAL):
        return config
    config = config.copy()
    with open_dict(config):
        config.hydra.launcher = {"_target_": f"hydra._internal.core_plugins.basic_launcher.{_INLINE}"}
    return config


def fit_launcher(config: DictConfig, n_jobs: Any) -> None:
    """Writes the number of slots that the sweeper is asked for into the launcher's configuration, before it is made."""
    conf = config.hydra.launcher
    if n_jobs == "auto" or not _is(conf, _LOCAL, _JOBLIB):
        return
    with open_dict(conf):
        conf.n_jobs = n_jobs


def find_used_gpus(config: DictConfig) -> list[str]:
    """Returns the GPUs of this machine that the jobs of a launcher use.

    Raises:
        ConfigError: There are not so many GPUs, or what is asked for are none.
    """
    conf = config.hydra.launcher
    if _is(conf, _LOCAL):
        asked = OmegaConf.to_container(conf, resolve=True)
        assert isinstance(asked, dict)
        # Of more GPUs than jobs the first are used.
        return find_gpus(asked["gpus"])[: None if asked["n_jobs"] == "auto" else asked["n_jobs"]]
    # All others leave it to TensorFlow, which takes what it sees; on a cluster that is none of this machine's.
    return find_gpus("auto") if _is(conf, _INLINE, _JOBLIB, _SUBMITIT_LOCAL) else []


def can_choose_gpus(config: DictConfig) -> bool:
    """Returns whether a launcher is told by `hydra.launcher.gpus` which GPUs its jobs use."""
    return _is(config.hydra.launcher, _LOCAL)


def open_launching(launcher: Launcher, config: DictConfig, n_jobs: Any) -> Launching:
    """Returns how jobs are started with a launcher; `n_jobs` is a number or `auto`."""
    conf = config.hydra.launcher
    name = str(conf.get("_target_", "?")).rpartition(".")[2]
    wanted = None if n_jobs == "auto" else int(n_jobs)
    inline, remark = False, None
    if _is(conf, _LOCAL):
        slots = int(launcher.workers.slots)  # type: ignore[attr-defined]
    elif _is(conf, _JOBLIB):
        slots = _count_joblib(conf, wanted)
        # With one job joblib runs it in this thread, where Hydra cannot have two at a time.
        inline = slots == 1
        remark = "joblib shares its processes: if one is killed, all trials that run at that moment are run again."
    elif _is(conf, _INLINE):
        slots, inline = 1, True
        if wanted is not None and wanted > 1:
            remark = (
                f"hydra/launcher=basic runs in this process, one trial at a time: n_jobs={wanted} has no effect, and "
                "a crash of a trial ends the sweep. Choose hydra/launcher=fitgap."
            )
    else:
        slots = wanted or 1
        if wanted is None:
            remark = f"{name} is given one trial at a time. Say how many it can run: hydra.sweeper.n_jobs=4."

    def launch(overrides: Sequence[str], number: int) -> JobReturn:
        return launcher.launch([list(overrides)], initial_job_idx=number)[0]

    return Launching(launch, slots, inline, remark, launcher)


def _is(conf: DictConfig, *names: str) -> bool:
    target = str(OmegaConf.select(conf, "_target_", default=""))
    return target.rpartition(".")[2] in names


def _count_joblib(conf: DictConfig, wanted: int | None) -> int:
    number = wanted or int(conf.get("n_jobs", -1))
    cores = os.cpu_count() or 1
    # joblib's -1 is all cores, -2 all but one.
    return number if number > 0 else max(1, cores + 1 + number)
