"""Train image classifiers: one tracked run, or with `-m` one per cell of a grid, compared side by side.

    python -m src.train [overrides]
    python -m src.train -m model=vgg16,mobilenet

Heavy imports wait until the configuration has been found right, so that a mistyped key is answered at once.
"""

from __future__ import annotations

from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from src.application import TrainingApplication
from src.config.composition import register_schemas, to_run_config
from src.entry import discard_job_output, run_program
from src.runtime import load_tensorflow
from src.study.reporting import current_trial
from src.sweep.application import sweepable


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
@sweepable(TrainingApplication())
def main(config: DictConfig) -> object:
    """Executes one training and returns its result."""
    hydra_config = HydraConfig.get()
    output_dir = Path(hydra_config.runtime.output_dir)
    try:
        run_config = to_run_config(config)
    except Exception:
        discard_job_output(output_dir, hydra_config.job.name)
        raise

    load_tensorflow()
    from src.console import open_console
    from src.experiment import execute_run
    from src.naming import name_run
    from src.pruning import TrialObserver

    trial = current_trial()
    observer = TrialObserver(trial, run_config) if trial else None
    return execute_run(
        run_config,
        output_dir,
        name=name_run(run_config, list(hydra_config.overrides.task)),
        console=open_console(),
        observers=[observer] if observer else [],
        on_run=trial.attach_run if trial else None,
        wants_model=observer.wants_model if observer else None,
        checkpoint=Path(trial.ticket.checkpoint) if trial and trial.ticket.checkpoint else None,
    )


if __name__ == "__main__":
    register_schemas()
    run_program(main)
