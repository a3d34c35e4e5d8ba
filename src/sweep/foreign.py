"""Any other Hydra application: its task function reports its progress, and the sweep records its runs for it."""

from __future__ import annotations

from collections.abc import Sequence

from omegaconf import DictConfig

from src.config.tracking import TrackingConfig
from src.sweep.application import Checked, Place, Preparation
from src.sweep.resolution import resolve


class ForeignApplication:
    """An `Application` of which nothing is known but its name.

    Its task function may call `src.study.reporting.report` and `should_stop`, and returns its objective.
    """

    records_runs = False
    #: Optuna takes a second, which is not to be the first trial's.
    preload: tuple[str, ...] = ("src.study.storage", "src.study.pruners")
    metrics: frozenset[str] | None = None

    def __init__(self, name: str) -> None:
        """Takes the name of the Hydra job, which becomes that of the MLflow experiment."""
        self.name = name

    def check(self, config: DictConfig) -> Checked:
        """Returns the configuration; the application itself knows what is allowed in it.

        Raises:
            omegaconf.errors.OmegaConfBaseException: An interpolation is broken.
        """
        values = resolve(config)
        return Checked(
            config=config,
            tracking=TrackingConfig(experiment=self.name, log_model=False),
            subject=self.name,
            # What only a job knows, such as its folder, stays as written: it says nothing of how the job goes.
            settings=dict(_flatten("", values)),
        )

    def prepare(self, configs: Sequence[Checked]) -> Preparation:
        """Has nothing to fetch."""
        return Preparation([[] for _ in configs], [], [{} for _ in configs])

    def place(self, place: Place) -> list[str]:
        """Tells nothing: the application does not know of sweeps."""
        return []

    def measure_test(self, config: Checked, run_id: str) -> dict[str, float]:
        """Measures nothing."""
        return {}


def _flatten(prefix: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        items = ((f"{prefix}.{key}" if prefix else str(key), child) for key, child in value.items())
        return [pair for key, child in items for pair in _flatten(key, child)]
    return [(prefix, str(value))]
