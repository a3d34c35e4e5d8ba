"""A Hydra application whose jobs do not end when they are asked to, and whose parent hears Ctrl-C and goes on."""

import os
import signal
import subprocess
import time
from pathlib import Path

import hydra
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path=None)
def main(config: DictConfig) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "600"])
    draft = Path(f"{config.name}.draft")
    draft.write_text(f"{os.getpid()} {child.pid}", encoding="utf-8")
    draft.replace(f"{config.name}.pids")
    while not Path("go").exists():
        time.sleep(0.01)
    child.kill()
    child.wait()
    print("came to its end")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda number, frame: Path("heard").write_text("Ctrl-C", encoding="utf-8"))
    main()
