"""A Hydra application whose best trial is measured on test images, and whose search stops where `STOP_AT` says.

There it makes the file `there`, and goes on once the file `hold` is gone.
"""

import functools
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig

from src.config.tracking import TrackingConfig
from src.entry import run_command
from src.sweep.application import Checked, sweepable
from src.sweep.foreign import ForeignApplication


def wait() -> None:
    Path("there").touch()
    while Path("hold").exists():
        time.sleep(0.02)


class MeasuredApplication(ForeignApplication):
    """Has every trial keep a model, which is not there, and makes up its score."""

    def check(self, config: DictConfig) -> Checked:
        return replace(super().check(config), tracking=TrackingConfig(experiment=self.name))

    def measure_test(self, config: Checked, run_id: str) -> dict[str, float]:
        if os.environ["STOP_AT"] == "measure_test":
            wait()
        return {"test_accuracy": 0.5}


@hydra.main(version_base="1.3", config_path="conf", config_name="misbehaving")
@sweepable(MeasuredApplication("measured"))
def main(config: DictConfig) -> float:
    return float((config.x - 2) ** 2)


def stop_at(owner: Any, name: str) -> None:
    """Has the search wait where it calls a function."""
    function = getattr(owner, name)

    @functools.wraps(function)
    def stop(*arguments: Any, **options: Any) -> Any:
        wait()
        return function(*arguments, **options)

    setattr(owner, name, stop)


if __name__ == "__main__":
    owner, _, name = os.environ["STOP_AT"].rpartition(".")
    if owner:
        from src.sweep import conclusion, finale, sweep

        stop_at({"conclusion": conclusion, "finale": finale.Finale, "sweep": sweep}[owner], name)
    run_command(main)
