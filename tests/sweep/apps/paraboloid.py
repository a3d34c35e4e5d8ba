"""A whole Hydra application that fitgap can search: it reports, asks whether to stop, and returns its objective."""

import hydra
from omegaconf import DictConfig

from src.study.reporting import report, should_stop


@hydra.main(version_base="1.3", config_path="conf", config_name="paraboloid")
def main(config: DictConfig) -> float:
    value = float("inf")
    for step in range(1, config.steps + 1):
        value = (config.x - 2) ** 2 + (config.y + 1) ** 2 + 1 / step
        report(value, step)
        if should_stop():
            break
    return value


if __name__ == "__main__":
    main()
