"""Samples the use of processor, memory, disk, network and GPU as MLflow does, but into the run's journal."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

from mlflow.environment_variables import MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL

from src.tracking.gpu_probe import GpuProbe

_INTERVAL_SECONDS = 10.0

#: A metric that every sample has.
SAMPLED = "system/cpu_utilization_percentage"

_log = logging.getLogger(__name__)


class _MetricsLog(Protocol):
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None: ...


class SystemMonitor:
    """Logs `system/…` metrics from a thread of its own.

    MLflow's own monitor asks the store whether the run still exists before every sample, and ends at the first answer
    that fails to come; this one only writes to the journal.
    """

    def __init__(self, run: _MetricsLog, probes: list[Any], interval_seconds: float, first_step: int = 0) -> None:
        """Starts the thread; the samples are numbered from the first step on."""
        self._run = run
        self._probes = probes
        self._interval_seconds = interval_seconds
        self._first_step = first_step
        self._stopped = threading.Event()
        threading.Thread(target=self._sample, name="fitgap-system", daemon=True).start()

    def stop(self) -> None:
        """Ends the sampling; a sample that is being taken is dropped."""
        self._stopped.set()

    def _sample(self) -> None:
        step = self._first_step
        while not self._stopped.wait(self._interval_seconds):
            try:
                metrics: dict[str, float] = {}
                for probe in self._probes:
                    probe.collect_metrics()
                    metrics |= {f"system/{key}": value for key, value in probe.aggregate_metrics().items()}
                    probe.clear_metrics()
                if not self._stopped.is_set():
                    self._run.log_metrics(metrics, step)
            except Exception as error:  # A broken probe, or a run that has just been finished.
                if not self._stopped.is_set():
                    _log.warning("System metrics are no longer logged: %s", error)
                return
            step += 1


def start_monitor(run: _MetricsLog, first_step: int = 0) -> SystemMonitor | None:
    """Starts to sample; None, with a warning, where MLflow's probes do not work."""
    try:
        probes = [*(_probe(name) for name in ("CPU", "Disk", "Network")), GpuProbe()]
    except Exception as error:
        _log.warning("System metrics cannot be logged (%s); they need psutil.", error)
        return None
    interval: float | None = MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL.get()  # type: ignore[no-untyped-call]
    return SystemMonitor(run, probes, interval or _INTERVAL_SECONDS, first_step)


def _probe(name: str) -> Any:
    module = import_module(f"mlflow.system_metrics.metrics.{name.lower()}_monitor")
    return getattr(module, f"{name}Monitor")()
