"""A Hydra application that registers a resolver only where it is started as a program, and writes to where it is."""

from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf


@hydra.main(version_base="1.3", config_path=None)
def main(config: DictConfig) -> int:
    Path("here.txt").write_text(f"{config.value}", encoding="utf-8")
    return int(config.value)


if __name__ == "__main__":
    OmegaConf.register_new_resolver("double", lambda number: 2 * number)
    main()
