"""Schema of the `tracking` block: where runs are recorded and what they keep."""

from __future__ import annotations

from dataclasses import dataclass, field

from src.config.bounds import bounded


@dataclass
class TrackingConfig:
    """Where runs are recorded and what they keep.

    Attributes:
        uri: MLflow tracking URI; null takes `MLFLOW_TRACKING_URI`, else `mlflow.db` in the project's root.
        experiment: MLflow experiment under which the run appears.
        run_name: Name of the run; null makes one from what distinguishes it.
        offline: What becomes of a run or a sweep that begins while its server is away: `fail` is an error at once, with
            `continue` it is recorded on disk and delivered later; null takes `FITGAP_OFFLINE`, else `fail`.
        log_model: Whether the trained model is kept with the run.
        keep_models: Runs of a sweep that keep their model, the best ones, and those registered in MLflow; the others'
            models are deleted.
        system_metrics: Whether the use of processor, memory, disk, network and its own GPUs is logged during the run.
        tags: Further tags for the run.
        kind: What the run is, its tag `fitgap.kind`; set by the sweeper where it is no trial.
        parent_run_id: The sweep that the run belongs to; set by the sweeper, not by hand.
        experiment_id: MLflow's id of the experiment, known to be there; set by the sweeper.
        arm: What distinguishes the run within its sweep; set by the sweeper.
        trial_number: Number of the run within its sweep, from 0; set by the sweeper.
    """

    uri: str | None = None
    experiment: str = "fitgap"
    run_name: str | None = None
    offline: str | None = bounded(None, choices=("fail", "continue"))
    log_model: bool = True
    keep_models: int = bounded(3, minimum=1)
    system_metrics: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    kind: str | None = None
    parent_run_id: str | None = None
    experiment_id: str | None = None
    arm: str | None = None
    trial_number: int | None = None
