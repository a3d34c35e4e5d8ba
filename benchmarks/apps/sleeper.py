"""A Hydra application that sleeps for a given time and writes down from when to when it has worked.

It needs no processor, so that what is measured beside it is the time between its trials and nothing else.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import hydra
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="conf", config_name="sleeper")
def main(config: DictConfig) -> float:
    """Sleeps for the length at `index`, adds a line to the file `times`, and returns the square of `x`."""
    started = time.time()
    time.sleep(config.lengths[config.index % len(config.lengths)] * config.unit_seconds)
    value = float(config.x) ** 2
    # One small write at the end of a file is not mixed with those of other processes.
    descriptor = os.open(Path(config.times), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(descriptor, (json.dumps({"started": started, "ended": time.time()}) + "\n").encode())
    finally:
        os.close(descriptor)
    return value


if __name__ == "__main__":
    main()
