"""A Hydra application that knows nothing of fitgap; its last line is not guarded, and does no harm in a worker."""

import logging
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

OmegaConf.register_new_resolver("app_root", lambda: "the root")
log = logging.getLogger(__name__)


@dataclass
class AppConf:
    x: int = 1
    what: str = "square"
    root: str = "${app_root:}"


ConfigStore.instance().store(name="schema", node=AppConf)


class FragileError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


@hydra.main(version_base="1.3", config_path="conf", config_name="app")
def main(config: DictConfig) -> int:
    print(f"printing {config.x}")
    log.info("logging %s below %s", config.x, config.root)
    if config.what == "raise":
        raise FragileError(config.x, 2)
    if config.what == "exit":
        sys.exit(3)
    if config.what == "die":
        os.abort()
    if config.what == "sleep":
        child = subprocess.Popen(["sleep", "600"])
        Path(os.environ["PIDS"]).write_text(f"{os.getpid()} {child.pid}", encoding="utf-8")
        time.sleep(600)
    return int(config.x) ** 2


main()
