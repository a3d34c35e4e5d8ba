"""The machine on which a month is lived through: a checkout of its own, its timers, its disk, its tracking server."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil

from src.claims import ClaimBook
from src.config.paths import PROJECT_ROOT
from src.scheduling.journal import Journal
from src.scheduling.shift import Shift
from tests.month.disk import Disk
from tests.month.plan import AWAY, HOME, Start
from tests.tracking.server import Server

#: What of this checkout its own one has.
_PARTS = ("src", "conf", "hydra_plugins", "sweeps")
#: Environment variable that tells the processes of a machine from all others.
_MARK = "MONTH_FOLDER"
#: Floor and budget, in 10^9 bytes: besides the winner's model there is room for little more than a checkpoint.
MIN_FREE_GB, DISK_GB = 0.02, 0.00015

_SWEEP = """\
# @package _global_
defaults:
  - quick
  - _self_
dataset: {{num_train: 120, num_val: 60, num_test: 40, num_train_eval: 60, image_size: 16}}
model: {{conv_filters: [4], dense_units: [8]}}
trainer: {{precision: float32, epochs: 8, checkpoint_epochs: 1}}
tracking: {{uri: {uri}}}
hydra:
  sweeper: {{n_trials: 2, pruner: none, min_free_gb: {min_free_gb}}}
schedule: {{when: 30 22 * * *, until: "06:30", study: {study}, disk_gb: {disk_gb}}}
"""


class Machine:
    """A machine that lives through a month.

    Attributes:
        disk: The disk on which all lies but what the server has.
        root: The checkout.
        server: The tracking server, elsewhere.
        environment: What the processes of the machine find, besides the offset of their clock.
    """

    def __init__(self, folder: Path) -> None:
        """Makes the checkout in an empty folder."""
        self.disk = Disk(folder / "disk")
        self.root = self.disk.folder / "fitgap"
        self.server = Server(_make(folder / "server"))
        self.environment = {
            "FITGAP_CACHE_DIR": str(self.disk.folder / "cache"),
            "FITGAP_CLAIMS_DIR": str(self.disk.folder / "claims"),
            # It is the same month on a machine with GPUs.
            "CUDA_VISIBLE_DEVICES": "-1",
            "TMPDIR": str(_make(self.disk.folder / "tmp")),
            "TZ": "Europe/Berlin",
        }
        for part in _PARTS:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PROJECT_ROOT / part, self.root / part, symlinks=True, ignore=ignored)
        _make(self.root / "mlruns")
        for name, study, uri in ((HOME, "grow", "null"), (AWAY, "new", self.server.uri)):
            text = _SWEEP.format(uri=uri, study=study, min_free_gb=MIN_FREE_GB, disk_gb=DISK_GB)
            (self.root / "sweeps" / f"{name}.yaml").write_text(text, encoding="utf-8")

    @property
    def outputs(self) -> Path:
        """The folder of what searches and trials write for themselves."""
        return self.root / "mlruns" / "outputs"

    def start(self, start: Start, log: Path, *overrides: str) -> subprocess.Popen[bytes]:
        """Has a timer come."""
        offset = (start.moment - datetime.now(UTC)).total_seconds()
        return self.run(log, "src.schedule", "run", start.sweep, *overrides, "--by-timer", offset=offset)

    def run(self, log: Path, module: str, *arguments: str, offset: float = 0.0) -> subprocess.Popen[bytes]:
        """Starts a command of the checkout."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("FITGAP_", "MLFLOW_"))}
        environment = {
            **kept,
            **self.environment,
            _MARK: str(self.disk.folder),
            "MONTH_OFFSET_SECONDS": str(offset),
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "shifted"), str(self.root)]),
        }
        with log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def processes(self) -> list[psutil.Process]:
        """Returns all living processes that the timers have come to."""
        return [process for process in psutil.process_iter() if self._owns(process)]

    def searches(self) -> list[psutil.Process]:
        """Returns the processes that lead searches."""
        return [process for process in self.processes() if "src.train" in name_command(process)]

    def trials(self) -> list[psutil.Process]:
        """Returns the worker processes that run trials at this moment; where none does, all worker processes."""
        workers = [process for process in self.processes() if "spawn_main" in name_command(process)]
        return [worker for worker in workers if _prints_to(worker).name == "output.log"] or workers

    def kill_all(self) -> None:
        """Cuts the power: no process of it is left."""
        while processes := self.processes():
            for process in processes:
                kill(process)
            psutil.wait_procs(processes, timeout=10)

    @property
    def claims(self) -> ClaimBook:
        """The claims on its GPUs."""
        return ClaimBook(self.disk.folder / "claims" / platform.node())

    def shifts(self, sweep: str) -> list[Shift]:
        """Returns the shifts that a sweep has on record."""
        return Journal(self.root / "mlruns" / "schedule" / sweep).read()

    def close(self) -> None:
        """Ends all processes."""
        self.kill_all()
        self.server.kill()

    def _owns(self, process: psutil.Process) -> bool:
        try:
            return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(_MARK) == str(self.disk.folder)
        except psutil.Error:
            return False


def kill(process: psutil.Process) -> None:
    """Kills a process that may have ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


def name_command(process: psutil.Process) -> str:
    """Returns the command line of a process; an empty one where it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _prints_to(process: psutil.Process) -> Path:
    try:
        return Path(f"/proc/{process.pid}/fd/1").readlink()
    except OSError:
        return Path()


def _make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
