"""A whole Hydra application that knows nothing of fitgap; its last line is unguarded, which worker processes survive."""

import logging
import os
import sys

import hydra
from omegaconf import DictConfig, OmegaConf

OmegaConf.register_new_resolver("app_root", lambda: "the root")
log = logging.getLogger(__name__)


class UnreadableError(Exception):
    """Can be pickled, but not read again."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


@hydra.main(version_base="1.3", config_path="conf", config_name="app")
def main(config: DictConfig) -> int:
    print(f"printing {config.x}")
    os.system(f"echo shouting {config.x}")
    log.info("logging %s below %s", config.x, config.root)
    if config.what == "raise":
        raise UnreadableError(config.x, 2)
    if config.what == "exit":
        sys.exit(3)
    if config.what == "die":
        os.abort()
    return int(config.x) ** 2


main()
