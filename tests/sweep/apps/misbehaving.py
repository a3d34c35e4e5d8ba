"""A Hydra application whose trials end in every way there is, as `how` says; it looks at files in its working folder.

It notes each trial that it begins in `begun.jsonl`, and waits as long as there is a file `hold`.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from src.entry import run_command
from src.gpus.lease import Lease
from src.study.reporting import report, should_stop


class UnpicklableError(Exception):
    """Cannot be rebuilt from its arguments, and holds what no other process can be sent."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__("it cannot be pickled")
        self.held = lambda: first + second


class ResourceExhaustedError(Exception):
    """Named like TensorFlow's."""


def note(config: DictConfig) -> None:
    line = {"x": config.x, "seed": config.seed, "how": config.how, "pid": os.getpid(), "job": HydraConfig.get().job.num}
    with Path("begun.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def is_first(config: DictConfig) -> bool:
    """Whether no trial has come here before with the same way to misbehave."""
    try:
        Path(f"once-{config.how}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def misbehave(config: DictConfig) -> None:
    match config.how:
        case "raise":
            raise ValueError(f"x is {config.x}")
        case "exit":
            sys.exit(3)
        case "unpicklable":
            raise UnpicklableError(1, 2)
        case "memory":
            bytearray(100 * 10**9)
        case "crowded" if (lease := Lease.current()) is None or lease.shared:
            raise ResourceExhaustedError("OOM when allocating tensor")
        case "vast":
            raise ResourceExhaustedError("OOM when allocating tensor")
        case "crowded-death" if (lease := Lease.current()) is None or lease.shared:
            os.write(2, b"failed to allocate: CUDA_ERROR_OUT_OF_MEMORY\n")
            os.abort()
        case "hang":
            time.sleep(600)
        case "deaf":
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
            time.sleep(600)
        case "kill-once-at-seed-1" if config.seed == 1 and is_first(config):
            os.kill(os.getpid(), signal.SIGKILL)
        case "kill-once" if is_first(config):
            os.kill(os.getpid(), signal.SIGKILL)
        case "leave-once" if is_first(config):
            os._exit(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)


@hydra.main(version_base="1.3", config_path="conf", config_name="misbehaving")
def main(config: DictConfig) -> dict[str, float]:
    note(config)
    while Path("hold").exists():
        time.sleep(0.02)
    misbehave(config)
    time.sleep(config.pause)
    value = float("nan") if config.how == "diverge" else (config.x - 2) ** 2 + config.y**2 + config.seed / 100
    report(value, 1)
    should_stop()
    return {"value": value, "cost": abs(config.x)}


if __name__ == "__main__":
    run_command(main)
