"""Samples this process's own GPUs, under MLflow's names for such metrics, for which its pages have charts."""

from __future__ import annotations

import logging

from src.errors import ConfigError
from src.gpus.inventory import Gpu
from src.gpus.own import read_own
from src.gpus.visible import list_visible

#: Of so many samples of the processor one is of the GPUs too: to ask the driver takes a process of its own, and three
#: charts for each GPU with a point every ten seconds would make the page of a night's run slow.
_EVERY = 3

_log = logging.getLogger(__name__)


class GpuProbe:
    """Has the methods of MLflow's monitors, but sees the GPUs that this process may use alone.

    MLflow's own would log all of the machine at every run, however many runs share them. The number in a name is the
    one by which the process knows the GPU: charts of trials can be laid over each other, wherever each has run.
    """

    def __init__(self) -> None:
        """Has sampled nothing yet; asking the driver is left to the thread that samples."""
        self._rounds = 0
        self._names: list[str] | None = None
        self._metrics: dict[str, float] = {}

    def collect_metrics(self) -> None:
        """Takes a sample, once in a while; nothing where the process has no GPU that the driver tells of."""
        if self._rounds % _EVERY == 0:
            self._metrics = self._sample()
        self._rounds += 1

    def aggregate_metrics(self) -> dict[str, float]:
        """Returns the sample."""
        return self._metrics

    def clear_metrics(self) -> None:
        """Forgets it."""
        self._metrics = {}

    def _sample(self) -> dict[str, float]:
        try:
            if self._names is None:
                self._names = list_visible()
            gpus = read_own(self._names)
        except ConfigError as error:
            _log.warning("The use of GPUs is not logged: %s", error)
            self._names = []
            return {}
        return {key: value for number, gpu in enumerate(gpus) for key, value in _measure(f"gpu_{number}", gpu).items()}


def _measure(prefix: str, gpu: Gpu) -> dict[str, float]:
    """Returns what the driver tells of a GPU, of all that uses it."""
    metrics = {}
    if gpu.used_bytes is not None:
        metrics[f"{prefix}_memory_usage_megabytes"] = round(gpu.used_bytes / 1e6, 1)
        if gpu.memory_bytes:
            metrics[f"{prefix}_memory_usage_percentage"] = round(gpu.used_bytes / gpu.memory_bytes * 100, 1)
    if gpu.utilization is not None:
        metrics[f"{prefix}_utilization_percentage"] = gpu.utilization
    return metrics
