"""`python -m src.train` with a stopwatch inside: each training writes down when what of it was done.

FITGAP_MOMENTS=moments.jsonl python -m benchmarks.apps.stopwatch [overrides]
"""

from __future__ import annotations

import hydra
from omegaconf import DictConfig

from src.application import TrainingApplication
from src.config.composition import register_schemas
from src.entry import run_program
from src.sweep.application import sweepable


@hydra.main(version_base="1.3", config_path="../../conf", config_name="train")
@sweepable(TrainingApplication())
def main(config: DictConfig) -> object:
    """Executes one training as `src.train` does, and adds its moments to the file."""
    from benchmarks.moments import watch_training
    from src.train import main as train

    with watch_training():
        return train.__wrapped__(config)


if __name__ == "__main__":
    register_schemas()
    run_program(main)
